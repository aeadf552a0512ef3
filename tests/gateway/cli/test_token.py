"""`figway token`, and keys narrowed by scopes, as a user runs them."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.audit.verify import records
from gateway.cli import app
from gateway.identity.development import NAME
from gateway.identity.signing import Keyring
from gateway.store.place import DEFAULT_URL, StateFolder, open_state
from gateway.store.shared import Shared


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace as small as can be, which is the current folder, and was served with --dev."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FIGWAY_STATE", raising=False)
    (tmp_path / "gateway.yaml").write_text("upstreams: {}\n")
    Keyring.open(tmp_path / ".figway" / "keys", NAME)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def revoked(workspace: Path, at: datetime) -> frozenset[str]:
    with closing(open_state(DEFAULT_URL, workspace, StateFolder(workspace / ".figway"))) as state:
        return state.revoked_tokens(at)


def test_a_token_is_printed_alone_on_stdout(workspace: Path) -> None:
    done = run("token", "--as", "alice", "--via", "bot", "--role", "reader", "--ttl", "10m")
    assert done.exit_code == 0
    assert done.stdout.count(".") == 2
    assert done.stdout.strip().isprintable()
    assert "--dev" in done.stderr


def test_a_token_in_json_says_until_when(workspace: Path) -> None:
    made = json.loads(run("token", "--as", "alice", "--ttl", "2h", "--json").stdout)
    assert timedelta(minutes=119) < datetime.fromisoformat(made["expires"]) - datetime.now(UTC) <= timedelta(hours=2)


def test_a_revocation_is_stored_announced_and_audited(workspace: Path) -> None:
    made = json.loads(run("token", "--as", "alice", "--json").stdout)
    with closing(Shared.open(workspace / ".figway" / "shared")) as shared:
        before = shared.keys_generation
        assert run("token", "revoke", f"token:{made['jti']}", "--expires", "1h").exit_code == 0
        assert shared.keys_generation == before + 1
    assert run("token", "revoke", "another", "--json").exit_code == 0
    now = datetime.now(UTC)
    assert revoked(workspace, now) == {made["jti"], "another"}
    assert revoked(workspace, now + timedelta(hours=2)) == {"another"}
    audited = [(each["operation"], each["route"]) for each in records(workspace / ".figway" / "audit")]
    assert audited == [
        ("token_create", f"token:{made['jti']}"),
        ("token_revoke", f"token:{made['jti']}"),
        ("token_revoke", "token:another"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["token"], 2, "--as"),
        (["token", "--as", "a", "--ttl", "soon"], 2, "--ttl"),
        (["token", "--as", "a", "--ttl", "90d"], 1, "30 days"),
        (["token", "--as", ""], 1, "would be refused"),
        (["token", "revoke"], 2, "JTI"),
        (["token", "revoke", ""], 1, "1 to 256"),
        (["token", "revoke", "x" * 300], 1, "1 to 256"),
        (["token", "revoke", "x", "--expires", "soon"], 2, "--expires"),
        (["key", "create", "--principal", "a", "--scope", " "], 1, "the scope ' '"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(workspace: Path, arguments: list[str], code: int, says: str) -> None:
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert says in done.stderr
    assert revoked(workspace, datetime.now(UTC)) == frozenset()


def test_where_no_gateway_ran_with_dev_no_token_is_made(workspace: Path) -> None:
    (workspace / ".figway" / "keys" / "development.json").unlink()
    done = run("token", "--as", "alice")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "figway serve --dev" in done.stderr


def test_a_key_is_narrowed_and_listed_so(workspace: Path) -> None:
    run("key", "create", "--principal", "alice", "--scope", "read", "--scope", "customers", "--scope", "read")
    run("key", "create", "--principal", "bob")
    listed = {
        each["principal"]: (each["scopes"], each["used"]) for each in json.loads(run("key", "list", "--json").stdout)
    }
    assert listed == {"alice": (["read", "customers"], None), "bob": (None, None)}
    text = run("key", "list").stdout
    assert "only read,customers" in text
    assert text.count("never used") == 2
