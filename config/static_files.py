"""Static files under names with a hash, so that browsers keep them for ever; our own modules too."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    # Without it `import "./x.js"` would fetch the file without a hash: asked for again every minute, and for a moment
    # after an upgrade not the one that belongs to the page. Our own folder only: django-htmx ships modules that import
    # files which it does not ship.
    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        ("js/*.js", CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns[1]),  # noqa: SLF001
    )
