"""Settings, URLs, the Celery app and the supervisor: the only room that knows every other."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
