"""The files that an import writes beside the contract, and that it writes all or none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.importing.cases import tests as merged_tests
from gateway.importing.denials import denials
from gateway.importing.ledger import Ledger, imported, ledger_path, read_ledger, written_ledger
from gateway.importing.model import CantImport
from gateway.importing.parts import allotted, split
from gateway.importing.staging import alone, finish, write
from gateway.routing.folder import INTERRUPTED, read_workspace
from gateway.routing.model import InvalidWorkspace


def test_writes_are_denied_until_their_line_is_taken_out() -> None:
    first = denials("erp", None, [], ["create_a", "delete_a"])
    assert first.count("forbid (") == 1
    assert denials("erp", first, ["create_a", "delete_a"], ["create_a", "delete_a"]) == first
    mine = first.replace('    Action::"create_a",\n', "") + "permit (principal, action, resource);\n"
    again = denials("erp", mine, ["create_a", "delete_a"], ["create_a", "create_b"])
    assert again.endswith("permit (principal, action, resource);\n")
    assert [word for word in ("create_a", "create_b", "delete_a") if f'    Action::"{word}"' in again] == ["create_b"]
    assert denials("erp", None, [], []) == ""


def test_no_policy_is_too_long() -> None:
    names = [f"create_{'x' * 50}_{number}" for number in range(1000)]
    policies = denials("erp", None, [], names).split("@id(")[1:]
    assert max(map(len, policies)) < 32_768
    assert sum(each.count('Action::"create') for each in policies) == 1000
    more = denials("erp", "@id(" + "@id(".join(policies), names, [*names, "one_more"])
    assert more.count("@id(") == len(policies)
    assert more.count('Action::"one_more"') == 1


def test_tests_that_people_changed_stay() -> None:
    def case(name: str, body: str = "pass") -> str:
        return f"def test_{name}(gateway: Gateway) -> None:\n    {body}\n"

    base = {f"test_{name}": case(name) for name in ("a", "b", "c", "d")}
    text = merged_tests("erp", None, {}, base)
    mine = text.replace(case("b"), case("b", "ours()")).replace("\n\n" + case("c"), "")
    new = {"test_a": case("a", "new()"), "test_b": case("b", "new()"), "test_c": case("c"), "test_e": case("e")}
    merged = merged_tests("erp", mine, base, new)
    assert merged.count("def test_") == 3
    assert [body for body in (case("a", "new()"), case("b", "ours()"), case("e")) if body not in merged] == []
    compile(merged, "tests", "exec")


def test_what_an_import_remembers_is_read_again() -> None:
    ledger = Ledger("wsdl", "a.wsdl", include=("a*",), routes={"x": ("get", "/x", "x")}, parts={"x": 2})
    files = {ledger_path("erp"): written_ledger(ledger)}
    assert read_ledger(files, "erp") == ledger
    assert imported(files) == ["erp"]
    assert read_ledger(files, "crm") is None
    for broken in (b"{}", b"[]", b"nothing", b'{"version": 2}', b'{"version": 1, "routes": {"a": []}}'):
        with pytest.raises(CantImport):
            read_ledger({ledger_path("erp"): broken}, "erp")


def test_a_long_contract_stands_in_several_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.importing.parts._MOST", 40)
    paths = {
        f"/{name}": {"get": {"tags": [name], "schema": {"$ref": f"#/components/schemas/{name}"}, "many": [1] * 20}}
        for name in "abc"
    }
    schemas = {name: {"type": "string"} for name in "abc"}
    document = {"tags": [{"name": name} for name in "abc"], "paths": paths, "components": {"schemas": schemas}}
    parts = allotted(document, {})
    assert parts == {"a": 1, "b": 2, "c": 3}
    made = split(document, parts)
    assert [list(each["paths"]) for each in made.values()] == [["/a"], ["/b"], ["/c"]]
    assert [list(each["components"]["schemas"]) for each in made.values()] == [["a"], ["b"], ["c"]]
    assert allotted({**document, "paths": {"/b": paths["/b"], "/a": paths["/a"]}}, parts) == {"a": 1, "b": 2}


def test_an_import_that_was_interrupted_is_completed(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text("upstreams: {}\n")
    staged = (tmp_path / INTERRUPTED).parent
    (staged / "new" / "openapi").mkdir(parents=True)
    (staged / "new" / "openapi" / "a.yaml").write_text("new")
    (tmp_path / INTERRUPTED).write_bytes(b'{"write": ["openapi/a.yaml", "gone.yaml"], "remove": ["gateway.yaml"]}')
    with pytest.raises(InvalidWorkspace) as told:
        read_workspace(tmp_path)
    assert "an import was interrupted" in told.value.findings[0].message
    finish(tmp_path)
    assert (tmp_path / "openapi" / "a.yaml").read_text() == "new"
    assert not (tmp_path / "gateway.yaml").exists()
    assert not staged.exists()


def test_one_import_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").touch()
    with alone(tmp_path), pytest.raises(CantImport, match="another import"), alone(tmp_path):
        pass


def test_a_folder_that_can_t_be_written_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / ".figway").mkdir()
    (tmp_path / ".figway" / "import").write_text("in the way")
    with pytest.raises(CantImport, match="nothing was changed"):
        write(tmp_path, {"a": b"1"})
    assert not (tmp_path / "a").exists()


_STEPS = """
import json, os, signal, sys
from pathlib import Path
from gateway.importing import staging
from gateway.routing.folder import INTERRUPTED

def files(folder):
    found = (path for path in folder.rglob("*") if path.is_file() and ".figway" not in path.parts)
    named = {path.relative_to(folder).as_posix(): path.read_text() for path in found}
    return {name: text for name, text in named.items() if name != "gateway.yaml"}

def killed_at(step):
    left = step
    def burn(frame, event, argument):
        nonlocal left
        if frame.f_code.co_filename == staging.__file__:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(burn)

def attempt(folder, step):
    folder.mkdir()
    (folder / "gateway.yaml").touch()
    for name in ("old.yaml", "gone.yaml"):
        (folder / name).write_text("old")
    child = os.fork()
    if child == 0:
        killed_at(step)
        with staging.alone(folder):
            staging.write(folder, {"a/new.yaml": b"new", "old.yaml": b"new", "gone.yaml": None})
        os._exit(0)
    _, status = os.waitpid(child, 0)
    interrupted, before = (folder / INTERRUPTED).exists(), files(folder)
    with staging.alone(folder):
        pass
    return os.WIFSIGNALED(status), interrupted, before, files(folder)

told = []
while not told or told[-1][0]:
    told.append(attempt(Path(sys.argv[1]) / str(len(told)), len(told) + 1))
print(json.dumps(told))
"""
_OLD, _NEW = {"old.yaml": "old", "gone.yaml": "old"}, {"a/new.yaml": "new", "old.yaml": "new"}


def test_killed_at_any_step_all_files_are_old_or_will_be_new(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _STEPS, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert len(told) > 50
    states = set()
    for _, interrupted, before, after in told:
        assert interrupted or before in (_OLD, _NEW)
        assert after == (_NEW if interrupted else before)
        states.add((interrupted, after == _NEW))
    assert states == {(False, False), (True, True), (False, True)}
