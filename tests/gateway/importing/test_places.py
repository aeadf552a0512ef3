"""Workspaces and sources at odd places: each import ends in a sentence, and changes nothing it can't finish."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from gateway.importing import staging
from gateway.routing import folder


@pytest.fixture
def stock(tmp_path: Path) -> str:
    """A table."""
    path = tmp_path / "stock.csv"
    path.write_text("sku,on_hand\nA1,3\nA2,4\n")
    return str(path)


def refused(workspace: Any, *arguments: str) -> str:
    """What an import says that can't be made, and that changes no file."""
    before = workspace.files()
    code, output = workspace.figway("import", *arguments)
    assert code == 1, output
    assert workspace.files() == before
    return str(output)


@pytest.mark.parametrize("place", [".figway", "openapi/sources", "tests"])
def test_a_file_where_a_folder_must_be(workspace: Any, stock: str, place: str) -> None:
    workspace.write(place, "")
    assert place in refused(workspace, "table", stock, "--upstream", "stock")


@pytest.mark.parametrize("place", [".figway/import.lock", "policies/stock.cedar"])
def test_a_folder_where_a_file_must_be(workspace: Any, stock: str, place: str) -> None:
    (workspace.folder / place).mkdir(parents=True)
    assert place in refused(workspace, "table", stock, "--upstream", "stock")


@pytest.mark.parametrize("place", ["openapi/sources", "tests"])
def test_a_link_out_of_the_workspace_is_not_written_through(
    workspace: Any, stock: str, tmp_path: Path, place: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (workspace.folder / place).symlink_to(outside)
    assert "out of the workspace" in refused(workspace, "table", stock, "--upstream", "stock")
    assert list(outside.iterdir()) == []


def test_a_link_to_nothing(workspace: Any, stock: str, tmp_path: Path) -> None:
    (workspace.folder / "tests").symlink_to(tmp_path / "nothing")
    assert "tests" in refused(workspace, "table", stock, "--upstream", "stock")


def test_a_disk_that_is_full_when_files_are_put_in_place(
    workspace: Any, stock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, done = os.replace, list[str]()

    def full(source: Any, target: Any) -> None:
        if len(done) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done.append(str(target))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(staging.os, "replace", full)
        code, output = workspace.figway("import", "table", stock, "--upstream", "stock")
    assert code == 1
    assert "completes it" in output
    assert workspace.figway("check")[0] == 1
    assert len(workspace.imported("table", stock, "--upstream", "stock")["routes"]) == 3
    assert workspace.figway("check")[0] == 0


def test_a_workspace_that_is_read_only(workspace: Any, stock: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(path: Path, *given: Any, **named: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "mkdir", read_only)
    assert "Read-only" in refused(workspace, "table", stock, "--upstream", "stock")


def test_what_was_decided_elsewhere_reaches_nothing_outside(workspace: Any, stock: str, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("kept")
    decided = workspace.folder / ".figway" / "import" / "decided.json"
    decided.parent.mkdir(parents=True)
    decided.write_text('{"write": [], "remove": ["../theirs"]}')
    assert "out of the workspace" in refused(workspace, "table", stock, "--upstream", "stock")
    assert (tmp_path / "theirs").read_text() == "kept"


def test_what_would_be_too_large_for_a_workspace_is_not_written(
    workspace: Any, stock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "_MAX_FILE", 1000)
    assert "would be larger" in refused(workspace, "table", stock, "--upstream", "stock")


def test_a_large_wsdl_can_be_read_again(workspace: Any, tmp_path: Path) -> None:
    source = tmp_path / "crm.wsdl"
    text = (Path(__file__).parents[3] / "openapi" / "sources" / "crm" / "crm.wsdl").read_text()
    source.write_text(text + f"<!-- {'x' * 9 * 2**20} -->")
    told = workspace.imported("wsdl", str(source), "--upstream", "crm")
    assert len(told["routes"]) == 3
    assert workspace.figway("check")[0] == 0
