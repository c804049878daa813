from django.apps import AppConfig


class PlumblineConfig(AppConfig):
    name = "config"
    label = "plumbline"
