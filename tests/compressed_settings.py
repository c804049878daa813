"""The tests' settings with static files as production serves them: collected, hashed, compressed."""

from config.settings import STORAGES
from tests.settings import *  # noqa: F403
from tests.settings import HOME

STATIC_ROOT = HOME / "static-compressed"
WHITENOISE_AUTOREFRESH = False
WHITENOISE_USE_FINDERS = False
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "config.static_files.StaticFiles"}}
