"""The entry point of web servers: granian serves `config.wsgi:application`."""

import gc
import os

from django.core.wsgi import get_wsgi_application

from config.security import require_safe_secret

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
require_safe_secret()
# What is loaded now stays: looking through it for garbage would hold up a request by a tenth of a second now and then.
gc.collect()
gc.freeze()
