"""`figway key` and `figway init`, as a user runs them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from os import environ
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.audit.verify import records
from gateway.cli import app
from gateway.identity.signing import Keyring
from gateway.identity.verifier import KeyVerifier
from gateway.routing.load import compile_workspace, read_workspace
from gateway.store.offload import Offload
from gateway.store.place import DEFAULT_URL, StateFolder, open_state
from gateway.store.shared import Shared


@dataclass(frozen=True)
class Done:
    """How a verb ended."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line in the test's folder."""
    monkeypatch.chdir(tmp_path)
    for name in [each for each in environ if each.startswith("FIGWAY_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str, **environment: str) -> Done:
        result = CliRunner().invoke(app, arguments, env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace as small as can be, which is the current folder."""
    (tmp_path / "gateway.yaml").write_text("upstreams: {}\n")
    return tmp_path


def _json(done: Done) -> object:
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


async def _principal(folder: Path, key: str) -> object:
    place = StateFolder(folder)
    state = open_state(DEFAULT_URL, folder, place)
    shared, offload = Shared.open(place.shared), Offload()
    try:
        verifier = KeyVerifier(state, Keyring.open(place.keys, "pepper"), shared, offload)
        return await verifier.verify(f"Bearer {key}".encode())
    finally:
        offload.close()
        shared.close()
        state.close()


async def test_a_key_is_printed_once_and_works(run: Run, workspace: Path) -> None:
    done = run("key", "create", "--principal", "alice", "--agent", "bot", "--role", "a", "--role", "b")
    assert done.returncode == 0
    key = done.stdout.strip()
    assert "only this once" in done.stderr
    principal = await _principal(workspace / ".figway", key)
    assert principal is not None
    assert (principal.id, principal.agent, principal.roles) == ("alice", "bot", ("a", "b"))  # type: ignore[attr-defined]
    listed = run("key", "list")
    assert "alice via bot (a,b)" in listed.stdout
    assert key[20:] not in listed.stdout + run("key", "list", "--json").stdout


async def test_a_revoked_key_is_listed_and_works_no_more(run: Run, workspace: Path) -> None:
    made = _json(run("key", "create", "--principal", "alice", "--expires", "90d", "--json"))
    assert isinstance(made, dict)
    until = datetime.fromisoformat(made["expires"])
    assert timedelta(days=89) < until - datetime.now(UTC) < timedelta(days=91)
    assert made["state"] == "active"
    assert _json(run("key", "revoke", made["id"], "--json")) == {"id": made["id"], "state": "revoked"}
    (listed,) = _json(run("key", "list", "--json"))  # type: ignore[misc]
    assert listed["state"] == "revoked"
    assert await _principal(workspace / ".figway", made["key"]) is None


def test_a_running_gateway_is_told_of_every_change(run: Run, workspace: Path) -> None:
    shared = Shared.open(workspace / ".figway" / "shared")
    made = _json(run("key", "create", "--principal", "alice", "--json"))
    assert shared.keys_generation == 1
    run("key", "revoke", made["id"])  # type: ignore[index]
    assert shared.keys_generation == 2
    shared.close()


def test_every_change_is_audited(run: Run, workspace: Path) -> None:
    made = _json(run("key", "create", "--principal", "alice", "--json"))
    assert isinstance(made, dict)
    run("key", "revoke", made["id"])
    run("key", "revoke", "nosuchkey234")
    audited = list(records(workspace / ".figway" / "audit"))
    assert [(each["operation"], each["route"]) for each in audited] == [
        ("key_create", f"key:{made['id']}"),
        ("key_revoke", f"key:{made['id']}"),
    ]
    assert all(each["principal"].startswith("host:") for each in audited)


def test_the_settings_and_the_workspace_say_where_state_is(run: Run, workspace: Path, tmp_path: Path) -> None:
    assert run("key", "create", "--principal", "alice", FIGWAY_STATE=str(tmp_path / "var")).returncode == 0
    assert (tmp_path / "var" / "state.db").is_file()
    assert not (workspace / ".figway").exists()
    (workspace / "gateway.yaml").write_text('stores: {state: "sqlite:///kept/s.db"}\nupstreams: {crm: {kind: wrong}}\n')
    assert run("key", "create", "--principal", "alice").returncode == 0
    assert (workspace / "kept" / "s.db").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["key", "revoke", "nosuchkey234"], 1, "no key has the id 'nosuchkey234'"),
        (["key", "create", "--principal", " "], 1, "the principal ' ' must be"),
        (["key", "create"], 2, "--principal"),
        (["key", "create", "--principal", "a", "--expires", "soon"], 2, "--expires"),
        (["key", "create", "--principal", "a", "--expires", "999999999d"], 2, "--expires"),
        (["key", "list", "--workspace", "nowhere"], 1, "nowhere/gateway.yaml can't be read"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    run: Run, workspace: Path, arguments: list[str], code: int, says: str
) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", ["stores: {state: 7}", "stores: [", "[]", "\x00"])
def test_a_workspace_that_cant_be_read_is_said_in_a_sentence(run: Run, workspace: Path, content: str) -> None:
    (workspace / "gateway.yaml").write_text(content)
    done = run("key", "list")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "'figway check' says why" in done.stderr


def test_a_store_that_cant_be_read_is_said_in_a_sentence(run: Run, workspace: Path) -> None:
    assert _json(run("key", "list", "--json")) == []
    with sqlite3.connect(workspace / ".figway" / "state.db") as connection:
        connection.execute("UPDATE meta SET value = '99'")
    connection.close()
    done = run("key", "list")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "run the newer figway" in done.stderr


async def test_init_makes_a_workspace_that_check_accepts(run: Run, tmp_path: Path) -> None:
    done = run("init", "mine")
    assert done.returncode == 0, done.stderr
    key = done.stdout.splitlines()[-1]
    principal = await _principal(tmp_path / "mine" / ".figway", key)
    assert principal is not None
    assert principal.roles == ("reader",)  # type: ignore[attr-defined]
    assert (tmp_path / "mine" / ".gitignore").read_text() == ".figway/\n"
    files = read_workspace(tmp_path / "mine")
    assert set(files) == {"gateway.yaml", "openapi/README.md", "policies/access.cedar"}
    loaded = compile_workspace(files, cache=tmp_path / "cache", environment={}, strict_secrets=False)
    assert (loaded.compiled.routes, loaded.findings) == ((), ())
    assert 'permit (principal in Role::"reader"' in loaded.compiled.rules.text


async def test_the_contract_that_init_shows_is_accepted(run: Run, tmp_path: Path) -> None:
    assert run("init").returncode == 0
    (tmp_path / "openapi" / "customers.yaml").write_text(
        (tmp_path / "openapi" / "README.md").read_text().split("```yaml\n")[1].split("```")[0]
    )
    gateway = tmp_path / "gateway.yaml"
    gateway.write_text(re.sub("(?m)^  # ", "  ", gateway.read_text().replace("upstreams: {}", "upstreams:")))
    loaded = compile_workspace(read_workspace(tmp_path), cache=tmp_path / "c", environment={}, strict_secrets=False)
    assert [route.operation_id for route in loaded.compiled.routes] == ["get_customer"]
    assert [each for each in loaded.findings if each.file.startswith("policies/")] == []


def test_init_overwrites_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "access.cedar").write_text("// mine\n")
    done = run("init")
    assert (done.returncode, done.stdout) == (1, "")
    assert "access.cedar is there already" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gitignore", "policies"]


def test_init_in_json(run: Run, tmp_path: Path) -> None:
    made = _json(run("init", "mine", "--json"))
    assert isinstance(made, dict)
    assert made["workspace"] == str(tmp_path / "mine")
    assert made["key"].startswith("figway_")
