import re
from pathlib import Path

from django.core.management import call_command


def test_all_static_files_can_be_collected_and_modules_import_each_other_by_hashed_names(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": "config.static_files.StaticFiles"}}
    call_command("collectstatic", interactive=False, verbosity=0)
    hashed = [path for path in (tmp_path / "js").glob("*.js") if re.search(r"\.[0-9a-f]{12}\.js$", path.name)]
    imports = re.findall(r'from "\./(.+?)";', "".join(path.read_text() for path in hashed))
    assert imports
    assert all((tmp_path / "js" / Path(name)).exists() and re.search(r"\.[0-9a-f]{12}\.js$", name) for name in imports)
