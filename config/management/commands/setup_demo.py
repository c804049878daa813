"""Make the demo's people and project. Running it again changes nothing."""

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand

from config.demo.people import people_ensure
from config.demo.project import project_ensure


class Command(BaseCommand):
    help = "Make three demo logins and the demo project, and start building its base."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        project_ensure(people_ensure(settings.HOME))
