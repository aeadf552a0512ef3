"""Who comes in through a real gateway's door: issuers' tokens, certificates, development tokens; and who doesn't."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from gateway.cli import app
from gateway.identity.development import NAME, DevelopmentKey
from gateway.identity.signing import Keyring

GATEWAY = """
upstreams:
  lab: {{kind: lab}}
  faulty: {{kind: lab}}
  closed: {{kind: lab, down: true}}
identity:
  issuers: [{{issuer: "{issuer}", audience: figway}}]
  proxy: {{trusted: ["127.0.0.2/32"], roles: [reader]}}
"""
CONTRACT = Path(__file__).parent.parent / "ingress" / "lab.yaml"


def write(running: ModuleType, folder: Path, issuer: str) -> Path:
    files = {"gateway.yaml": GATEWAY.format(issuer=issuer), "openapi/lab.yaml": CONTRACT.read_text()}
    written: Path = running.write_workspace(folder, files)
    return written


@pytest.fixture(scope="module")
def vouching(issuing: ModuleType) -> Iterator[Any]:
    with issuing.issuer_server() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(running: ModuleType, vouching: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two workers under `--dev`."""
    folder = write(running, tmp_path_factory.mktemp("identity"), vouching.url)
    with running.serving(folder, "--dev", "--workers", "2") as gateway:
        yield gateway


def read(gateway: Any, credential: str | bytes | None, **options: Any) -> httpx.Response:
    """A read on a connection of its own, which either worker may get."""
    headers = {} if credential is None else {"authorization": credential}
    with httpx.Client(timeout=20, **options) as client:
        return client.get(f"{gateway.url}/items/A", headers=headers)  # type: ignore[arg-type]


def figway(gateway: Any, *arguments: str) -> str:
    """What a verb prints about the gateway's workspace."""
    done = CliRunner().invoke(app, [*arguments, "--workspace", str(gateway.folder)])
    assert done.exit_code == 0, done.stderr
    return done.stdout.strip()


def test_an_issuers_token_lets_its_bearer_in(gateway: Any, vouching: Any) -> None:
    assert read(gateway, vouching.header(roles=["reader"])).status_code == 200
    assert read(gateway, vouching.header(roles=["nobody"])).status_code == 403


def test_refusals_are_all_alike(gateway: Any, vouching: Any, issuing: ModuleType) -> None:
    stale = vouching.header(exp=int(time.time()) - 1, roles=["reader"])
    foreign = vouching.header(aud="other", roles=["reader"])
    unknown = vouching.header("ES256", "k2", roles=["reader"])
    forged = vouching.header(roles=["reader"])[:-8] + b"AAAAAAAA"
    answers = [read(gateway, each) for each in (stale, foreign, unknown, forged, b"Bearer x", b"Basic YTpi")]
    assert {each.status_code for each in answers} == {401}
    assert {each.headers["www-authenticate"] for each in answers} == {'Bearer realm="figway", error="invalid_token"'}
    assert len({json.dumps({**each.json(), "instance": ""}) for each in answers}) == 1
    assert read(gateway, None).headers["www-authenticate"] == 'Bearer realm="figway"'


def test_the_control_plane_knows_the_same_callers(gateway: Any, vouching: Any) -> None:
    allowed = httpx.get(f"{gateway.url}/openapi.json", headers={"authorization": vouching.header(roles=["reader"])})  # type: ignore[dict-item]
    assert (allowed.status_code, "/items" in allowed.json()["paths"]) == (200, True)
    assert httpx.get(f"{gateway.url}/openapi.json").status_code == 401


def test_a_certificate_counts_from_the_proxys_address_only(gateway: Any, certified: dict[str, str]) -> None:
    def asked(address: str, headers: dict[str, str]) -> int:
        with httpx.Client(transport=httpx.HTTPTransport(local_address=address)) as client:
            return client.get(f"{gateway.url}/items/A", headers=headers).status_code

    assert asked("127.0.0.2", certified) == 200
    assert asked("127.0.0.1", certified) == 401
    assert asked("127.0.0.2", {}) == 401
    assert asked("127.0.0.2", {**certified, "x-forwarded-for": "10.0.0.1"}) == 200
    assert asked("127.0.0.1", {**certified, "x-forwarded-for": "127.0.0.2", "forwarded": "for=127.0.0.2"}) == 401
    assert asked("127.0.0.2", {**certified, "authorization": "Bearer wrong"}) == 401


@pytest.fixture(scope="session")
def certified(certifying: ModuleType) -> dict[str, str]:
    """The header field in which a proxy tells of a certificate."""
    return {name.decode(): value.decode() for name, value in certifying.field(certifying.certificate()).items()}


def test_a_development_token_counts_until_it_is_revoked(gateway: Any) -> None:
    made = json.loads(figway(gateway, "token", "--as", "ada", "--via", "bot", "--role", "reader", "--json"))
    credential = f"Bearer {made['token']}"
    assert {read(gateway, credential).status_code for _ in range(12)} == {200}
    figway(gateway, "token", "revoke", made["jti"], "--expires", "2h")
    assert {read(gateway, credential).status_code for _ in range(12)} == {401}


def test_an_issuer_that_is_down_is_not_the_callers_fault(gateway: Any, vouching: Any, issuing: ModuleType) -> None:
    known = vouching.header(roles=["reader"])
    for _ in range(12):
        assert read(gateway, known).status_code == 200
    port = vouching.port
    unknown = vouching.header("ES256", "k3", roles=["reader"])
    later = [vouching.header(roles=["reader"], jti=str(number)) for number in range(6)]
    vouching.close()
    try:
        until = time.monotonic() + 20
        while (answer := read(gateway, unknown)).status_code != 503:
            assert time.monotonic() < until, "the last fetch was long ago, so the next one is due"
            time.sleep(0.2)
        assert answer.json()["type"] == "urn:figway:problem:identity-unavailable"
        assert (answer.headers["retry-after"], "127.0.0.1" in answer.text) == ("5", False)
        assert {read(gateway, each).status_code for each in later} == {200}
    finally:
        vouching.__init__(port)


def test_no_credential_is_written_anywhere(gateway: Any, vouching: Any) -> None:
    issued = vouching.header(roles=["reader"]).decode()
    assert read(gateway, issued).status_code == 200
    made = f"Bearer {figway(gateway, 'token', '--as', 'ada', '--role', 'reader')}"
    assert read(gateway, made).status_code == 200
    kept = b"".join(path.read_bytes() for path in gateway.folder.rglob("*") if path.is_file() and path.name != "shared")
    for credential in (issued, made, gateway.reader):
        assert credential.rpartition(".")[2].removeprefix("Bearer ").encode() not in kept


def test_without_dev_the_development_issuer_is_nobody(running: ModuleType, tmp_path: Path, issuer: Any) -> None:
    folder = write(running, tmp_path, issuer.url)
    text, _ = DevelopmentKey(Keyring.open(folder / ".figway" / "keys", NAME)).mint("ada", roles=["reader"])
    with running.serving(folder) as gateway:
        assert read(gateway, f"Bearer {text}").status_code == 401
        assert read(gateway, gateway.reader).status_code == 200
        key = gateway.reader.split("_")[1]
        assert gateway.stop() == 0
        used = {each["id"]: each["used"] for each in json.loads(figway(gateway, "key", "list", "--json"))}
        assert used.pop(key) is not None
        assert set(used.values()) == {None}


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::", "127.0.0.1.example.com"])
def test_dev_is_for_this_host_only(running: ModuleType, tmp_path: Path, host: str) -> None:
    folder = write(running, tmp_path, "https://id.example.com")
    done = CliRunner().invoke(app, ["serve", "--dev", "--host", host, "--workspace", str(folder), "--port", "0"])
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "--dev" in done.stderr
