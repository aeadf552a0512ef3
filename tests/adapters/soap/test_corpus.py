"""Vendors' WSDLs: all load; what can't be called is said, and why."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adapters.contract import Workspace
from adapters.soap.compiler import form_of
from adapters.soap.config import Config
from adapters.soap.plan import Operations
from adapters.soap.ports import chosen


def test_every_vendor_wsdl_compiles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = os.environ.get("FIGWAY_CORPUS")
    if not folder:
        pytest.skip("FIGWAY_CORPUS isn't set: no vendor WSDLs to try")
    paths = sorted(Path(folder, "wsdl").glob("*.wsdl"))
    assert paths
    lines = []
    compiled = total = 0
    for path in paths:
        workspace = Workspace({path.name: path.read_bytes()}, tmp_path)
        form = form_of(path.name, workspace)
        port = chosen(form, Config(wsdl=path.name), workspace)
        operations = Operations(form, port, ZoneInfo("UTC"))
        assert all(operation.input["type"] == "object" for operation in operations.values())
        compiled += len(operations)
        total += len(operations) + len(port.left_out)
        lines.append(f"{path.name}: {len(operations)} of {len(operations) + len(port.left_out)} {dict(port.left_out)}")
    with capsys.disabled():
        print(f"\nvendor WSDLs: {compiled} of {total} operations compiled\n" + "\n".join(lines))
    assert compiled == total
