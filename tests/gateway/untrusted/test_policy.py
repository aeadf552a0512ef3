"""`policies/content.yaml`: what is wrong in it is told, and scanners of other packages are given what is shown."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

GATEWAY = "upstreams:\n  lab: {kind: lab}\n  hostile: {kind: lab}\n"


def workspace(running: ModuleType, folder: Path, content: str) -> Path:
    contract = Path(__file__).with_name("world.yaml").read_text()
    files = {"gateway.yaml": GATEWAY, "openapi/lab.yaml": contract, "policies/content.yaml": content}
    made: Path = running.write_workspace(folder, files)
    return made


def test_what_nothing_would_obey_is_told(running: ModuleType, tmp_path: Path) -> None:
    content = """
rules:
  - {match: {route: nowhere}, content: refuse}
  - {match: {group: strict}, content: maybe}
patterns:
  - {id: override, pattern: x}
  - {id: back, pattern: "(?=x)y"}
scanners: [absent]
"""
    found = running.figway("check", "--workspace", str(workspace(running, tmp_path, content)), "--json")
    told = json.dumps(json.loads(found.stdout))
    assert found.returncode == 1
    sentences = ("'off', 'mark' or 'refuse'", "linear time")
    assert all(each in told for each in sentences), told
    sound = content.replace("maybe", "mark").replace("(?=x)y", "y")
    found = running.figway("check", "--workspace", str(workspace(running, tmp_path, sound)), "--json")
    told = json.dumps(json.loads(found.stdout))
    sentences = ("no route is matched", "there is a rule 'override' already", "no scanner 'absent' is installed")
    assert all(each in told for each in sentences), told


def test_a_scanner_of_another_package_is_asked(running: ModuleType, tmp_path: Path) -> None:
    folder = workspace(running, tmp_path, "scanners: [lab]\n")
    with running.serving(folder) as gateway, gateway.client() as client:
        assert client.get("/items/0xBEEF").headers["figway-content"] == 'instructions;rule=lab;at="/sku"'
        assert "figway-content" not in client.get("/items/bolt").headers
        # What a scanner can't look at isn't called clean.
        assert "rule=lab" in client.get("/items/unlucky").headers["figway-content"]
