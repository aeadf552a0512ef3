"""`gateway.yaml` in forms that people write: the upstream finds its place, or the import says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PLAIN = "upstreams: {}\n# ours\nidentity:\n  api_keys: true\n"


@pytest.fixture
def stock(tmp_path: Path) -> str:
    """A table."""
    path = tmp_path / "stock.csv"
    path.write_text("sku,on_hand\nA1,3\nA2,4\n")
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        "upstreams:\nidentity:\n  api_keys: true\n",
        "upstreams:\n  # none yet\n\nidentity:\n  api_keys: true\n",
        "upstreams: ~\nidentity:\n  api_keys: true\n",
        "upstreams:\n  stock:\nidentity:\n  api_keys: true\n",
        f"---\n{PLAIN}",
        f"# first\n---\n{PLAIN}...\n",
        PLAIN.replace("\n", "\r\n"),
        '"upstreams": {}\nidentity: {api_keys: true}\n',
    ],
    ids=["nothing", "comment", "null", "name", "mark", "marks", "crlf", "quoted"],
)
def test_the_upstream_finds_its_place(workspace: Any, stock: str, text: str) -> None:
    (workspace.folder / "gateway.yaml").write_bytes(text.encode())
    assert len(workspace.imported("table", stock, "--upstream", "stock")["routes"]) == 3
    code, output = workspace.figway("check")
    assert (code, output) == (0, "The workspace is sound: 3 routes, 1 upstreams.\n")
    written = (workspace.folder / "gateway.yaml").read_bytes()
    assert (b"\r\n" in written) == ("\r\n" in text)
    assert (b"\n" in written.replace(b"\r\n", b"")) == ("\r\n" not in text)
    assert all(each.encode() in written for each in ("# ours", "# first", "...", "# none yet") if each in text)


@pytest.mark.parametrize(
    "text",
    [
        "{upstreams: {}, identity: {api_keys: true}}\n",
        "upstreams: [a]\nidentity:\n  api_keys: true\n",
        "upstreams: {stock: 3}\nidentity:\n  api_keys: true\n",
    ],
    ids=["flow", "list", "number"],
)
def test_a_form_without_a_place_is_told(workspace: Any, stock: str, text: str) -> None:
    workspace.write("gateway.yaml", text)
    before = workspace.files()
    code, output = workspace.figway("import", "table", stock, "--upstream", "stock")
    assert code == 1, output
    assert "gateway.yaml" in output
    assert workspace.files() == before
