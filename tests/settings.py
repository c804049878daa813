"""The house's settings for tests: a home of their own, SQLite in a file or the PostgreSQL that DATABASE_URL names."""

import atexit
import os
import shutil
import tempfile

# Each of several test processes has a home of its own; what it starts shares it.
os.environ.setdefault("PYTEST_XDIST_WORKER", "")
if "PLUMBLINE_HOME" in os.environ:
    os.environ.setdefault("HOME_OF_TESTS_BY", os.environ["PYTEST_XDIST_WORKER"])
if os.environ.get("HOME_OF_TESTS_BY") != os.environ["PYTEST_XDIST_WORKER"]:
    os.environ["HOME_OF_TESTS_BY"] = os.environ["PYTEST_XDIST_WORKER"]
    os.environ["PLUMBLINE_HOME"] = tempfile.mkdtemp(prefix="plumbline-test-")
    atexit.register(shutil.rmtree, os.environ["PLUMBLINE_HOME"], ignore_errors=True)
os.environ.setdefault("SECRET_KEY", "tests-only-4c1f0b7e2d9a6853a17c")
os.environ.setdefault("LOG_LEVEL", "WARNING")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin while they wait would slow the other process
os.environ.setdefault("TRAIN_NICE", "0")  # on a busy build machine a nice training would wait for everybody else

from config.settings import *  # noqa: F403 - the environment above must be set first
from config.settings import DATABASES, HOME

# A file, not memory: threads and processes of a test share it, and WAL behaves as it does in production.
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {"NAME": str(HOME / "test.sqlite3")}

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a real hash takes 0.3 s a login
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
ACCOUNT_RATE_LIMITS = {"login": "1000/m/ip"}  # all browsers of the tests sign in from one address
