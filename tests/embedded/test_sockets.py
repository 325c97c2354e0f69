"""The socket folder of a data folder is always the same one, unless somebody else sits in it."""

import os
from pathlib import Path

import pytest

from engine.embedded import sockets
from engine.embedded.faults import ServiceMissing
from engine.embedded.identity import UNPRIVILEGED, Identity
from engine.embedded.sockets import empty, socket_folder

OURSELVES = Identity(os.geteuid(), os.getegid())


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert tmp_path.exists()  # pytest makes its own folders in the usual temporary folder first
    monkeypatch.setattr("tempfile.tempdir", str(open_folder))
    return open_folder


def test_every_start_gets_the_same_folder_and_each_server_its_own(tmp_path: Path) -> None:
    first = socket_folder(tmp_path, "postgres", OURSELVES)
    assert first == socket_folder(tmp_path, "postgres", OURSELVES)
    assert first != socket_folder(tmp_path, "valkey", OURSELVES)
    assert first.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("squatting", ["open to others", "symbolic link", "file"])
def test_folder_that_somebody_else_prepared_is_not_used(squatting: str, tmp_path: Path, open_folder: Path) -> None:
    usual = socket_folder(tmp_path, "postgres", OURSELVES)
    if squatting == "open to others":
        usual.chmod(0o755)
    elif squatting == "symbolic link":
        usual.rename(open_folder / "elsewhere")
        usual.symlink_to(open_folder / "elsewhere")
    else:
        usual.rmdir()
        usual.write_text("")
    chosen = socket_folder(tmp_path, "postgres", OURSELVES)
    assert chosen != usual
    assert chosen.is_dir()
    assert chosen.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_folder_of_another_account_is_not_used(tmp_path: Path) -> None:
    usual = socket_folder(tmp_path, "postgres", OURSELVES)
    os.chown(usual, 4321, 4321)
    assert socket_folder(tmp_path, "postgres", OURSELVES) != usual


@pytest.mark.parametrize("unfit", ["a,b", "x" * 80])
def test_temporary_folder_that_postgres_cannot_use_is_passed_over(
    unfit: str, tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (open_folder / unfit).mkdir(mode=0o755)
    monkeypatch.setattr("tempfile.tempdir", str(open_folder / unfit))
    chosen = socket_folder(tmp_path, "postgres", OURSELVES)
    chosen.rmdir()
    assert open_folder not in chosen.parents


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as another account")
def test_temporary_folder_that_the_server_cannot_enter_is_passed_over(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (open_folder / "closed").mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(open_folder / "closed"))
    chosen = socket_folder(tmp_path, "postgres", UNPRIVILEGED)
    chosen.rmdir()
    assert open_folder not in chosen.parents


def test_without_a_reachable_folder_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_FOLDER_BYTES_MAX", 8)
    with pytest.raises(ServiceMissing, match="Set TMPDIR"):
        socket_folder(tmp_path, "postgres", OURSELVES)


def test_emptied_folder_has_neither_files_nor_folders(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("kept")
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").write_text("")
    (folder / "link").symlink_to(tmp_path / "kept")
    empty(folder)
    assert list(folder.iterdir()) == []
    assert (tmp_path / "kept" / "file").read_text() == "kept"
