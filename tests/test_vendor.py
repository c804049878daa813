import hashlib
import re
from pathlib import Path

VENDOR = Path(__file__).parent.parent / "static" / "vendor"
ROW = re.compile(r"^\| (\S+\.js) \| (\S+) \| (\S+) \| (\S+) \| ([0-9a-f]{64}) \|$", re.MULTILINE)


def test_every_vendored_script_is_the_one_that_was_taken_from_its_package():
    recorded = {name: sha256 for name, _, _, _, sha256 in ROW.findall((VENDOR / "README.md").read_text())}
    actual = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.rglob("*.js")
    }
    assert actual == recorded


def test_every_vendored_folder_has_its_licence():
    folders = [path for path in VENDOR.iterdir() if path.is_dir()]
    assert folders
    assert all((folder / "LICENSE").read_text().strip() for folder in folders)
