"""Settings, URLs, the Celery app and the supervisor: the only room that knows every other."""
