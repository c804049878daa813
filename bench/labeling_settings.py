"""The site's own settings, with one more page."""

from config.settings import *  # noqa: F403 - settings are written like that

ROOT_URLCONF = "bench.labeling_urls"
