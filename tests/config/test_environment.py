import os
import stat
from pathlib import Path

import pytest

from config import environment


def test_a_secret_is_made_once_and_only_we_can_read_it(tmp_path):
    path = environment.secret_file(tmp_path, "secret-key")

    first = environment.ensure_secret(path)

    assert environment.ensure_secret(path) == first
    assert len(first) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_sockets_lie_in_the_home_while_their_path_fits(tmp_path):
    assert environment.socket_dir(Path("/srv/plumbline")) == Path("/srv/plumbline/run")


@pytest.mark.parametrize("length", [60, 100, 180])
def test_a_long_home_gets_a_short_folder_for_its_sockets(length):
    home = Path("/" + "d" * length)
    folder = environment.socket_dir(home)

    assert len(os.fsencode(folder / ("s" * 32))) <= 107
    assert folder == environment.socket_dir(home)
    assert folder != environment.socket_dir(Path("/" + "e" * length))


def test_a_long_temporary_folder_is_no_place_for_sockets_either(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/" + "t" * 100)
    assert environment.socket_dir(Path("/" + "d" * 100)).parent == Path("/tmp")


def test_a_folder_that_somebody_else_made_is_refused(tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")

    with pytest.raises(PermissionError, match="belongs to somebody else"):
        environment.make_private_dir(tmp_path / "link")
