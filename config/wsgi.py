"""The entry point of web servers: granian serves `config.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

from config.security import require_safe_secret

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
require_safe_secret()
