"""Where state lives, by the workspace and the process's settings."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from gateway.store.contract import StoreError
from gateway.store.place import DEFAULT_URL, StateFolder, open_state


def test_the_workspace_holds_the_state_unless_told_otherwise(tmp_path: Path) -> None:
    assert StateFolder.of(tmp_path).path == tmp_path / ".figway"
    assert StateFolder.of(tmp_path, tmp_path / "var").path == tmp_path / "var"


@pytest.mark.parametrize(
    ("url", "place"),
    [(DEFAULT_URL, "var/state.db"), ("sqlite:///data/s.db", "workspace/data/s.db"), ("sqlite:////{0}/x.db", "x.db")],
)
def test_a_url_names_a_file(tmp_path: Path, url: str, place: str) -> None:
    folder = StateFolder.of(tmp_path / "workspace", tmp_path / "var")
    url = url.replace("/{0}", str(tmp_path))
    with closing(open_state(url, tmp_path / "workspace", folder)):
        assert (tmp_path / place).is_file()
    assert folder.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("url", ["", "sqlite:///", "postgresql://db/x", "/var/state.db"])
def test_another_url_is_refused_in_a_sentence(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreError, match="must be sqlite:///PATH"):
        open_state(url, tmp_path, StateFolder.of(tmp_path))


def test_git_never_sees_the_state(tmp_path: Path) -> None:
    with closing(open_state(DEFAULT_URL, tmp_path, StateFolder.of(tmp_path))):
        assert (tmp_path / ".figway" / ".gitignore").read_text() == "*\n"


def test_a_folder_that_cant_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / ".figway").write_text("")
    with pytest.raises(StoreError, match="can't be made"):
        open_state(DEFAULT_URL, tmp_path, StateFolder.of(tmp_path))
