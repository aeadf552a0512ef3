"""Broken workspaces: every defect is named with file, line and key in one run, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.routing.folder import read_workspace
from gateway.routing.model import Finding, InvalidWorkspace

BROKEN = Path(__file__).with_name("broken")
WORKSPACES = sorted(path.name for path in BROKEN.iterdir() if path.is_dir())


def _expected(workspace: Path) -> list[tuple[str, str, str]]:
    """Lines `file:line: key: fragment`; the key is empty where the whole file is meant."""
    lines = (workspace / "expected.txt").read_text().splitlines()
    return [(place, key, fragment) for place, key, fragment in (line.split(": ", 2) for line in lines)]


def _told(findings: list[Finding]) -> Iterator[tuple[str, str, str]]:
    for finding in findings:
        yield f"{finding.file}:{finding.line}", finding.key, finding.message


@pytest.mark.parametrize("name", WORKSPACES)
def test_every_defect_is_told_in_one_run(name: str, problems: Callable[..., list[Finding]]) -> None:
    told = list(_told(problems(read_workspace(BROKEN / name))))
    expected = _expected(BROKEN / name)
    assert expected, "a broken workspace says what is wrong with it"
    for place, key, fragment in expected:
        assert any(at == place and of == key and fragment in message for at, of, message in told), (place, told)
    assert len(told) == len(expected), told


def test_there_are_twenty_and_one_with_many_defects() -> None:
    assert len(WORKSPACES) >= 20
    assert max(len(_expected(BROKEN / name)) for name in WORKSPACES) >= 15


def test_a_folder_without_gateway_yaml_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidWorkspace) as raised:
        read_workspace(tmp_path)
    assert "figway init" in raised.value.findings[0].message
