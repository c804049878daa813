"""Static files under names with a hash, so that browsers keep them for ever; modules too."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    # Without it `import "./x.js"` would fetch the file without a hash: asked for again every minute, and for a moment
    # after an upgrade not the one that belongs to the page.
    support_js_module_import_aggregation = True
