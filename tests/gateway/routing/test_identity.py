"""`identity` in gateway.yaml: what is accepted, and what is said, with its line, of what isn't."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.routing.identity import is_loopback, safe_url
from gateway.routing.load import Loaded, compile_workspace
from gateway.routing.model import InvalidWorkspace

POLICY = b'permit (principal in Role::"reader", action in Action::"read", resource);\n'
WHOLE = """
upstreams: {}
identity:
  api_keys: false
  issuers:
    - issuer: https://id.example.com/tenant
      audience: figway
      algorithms: [ES256]
      tenant_claim: tid
      leeway: 30s
      introspection: {url: "https://id.example.com/introspect", client_id: figway, client_secret: "env:SECRET"}
    - {issuer: "http://localhost:8000", audience: other, jwks_url: "http://127.0.0.1:8000/jwks"}
  proxy: {trusted: ["10.0.0.0/24", "2001:db8::1/128"], header: X-Client-Cert, principal: uri, roles: [service]}
"""


def load(tmp_path: Path, text: str, environment: Mapping[str, str] = {}, strict: bool = False) -> Loaded:
    files = {"gateway.yaml": text.encode(), "policies/access.cedar": POLICY}
    return compile_workspace(files, cache=tmp_path, environment=environment, strict_secrets=strict)


def test_everything_that_can_be_said_is_compiled(tmp_path: Path) -> None:
    identity = load(tmp_path, WHOLE, {"SECRET": "s3cret"}, strict=True).compiled.identity
    assert not identity.api_keys
    first, second = identity.issuers
    assert (first.issuer, first.algorithms, first.leeway) == ("https://id.example.com/tenant", ("ES256",), 30.0)
    assert first.introspection is not None
    assert first.introspection.client_secret.get_secret_value() == "s3cret"
    assert (second.jwks_url, second.roles_claim, second.max_actors) == ("http://127.0.0.1:8000/jwks", "roles", 4)
    assert identity.proxy is not None
    assert (identity.proxy.header, identity.proxy.principal) == ("X-Client-Cert", "uri")


def test_a_workspace_that_says_nothing_accepts_api_keys_only(tmp_path: Path) -> None:
    identity = load(tmp_path, "upstreams: {}\n").compiled.identity
    assert (identity.api_keys, identity.issuers, identity.proxy) == (True, (), None)


def test_an_unset_secret_only_warns_until_it_is_served(tmp_path: Path) -> None:
    findings = load(tmp_path, WHOLE).findings
    assert [(each.level, each.line) for each in findings if "SECRET" in each.message] == [("warning", 11)]
    with pytest.raises(InvalidWorkspace):
        load(tmp_path, WHOLE, strict=True)


BROKEN = {
    "issuer: https://id.example.com/tenant": {
        "issuer: http://id.example.com": "https",
        "issuer: https://id.example.com/?a=b": "no query",
        "issuer: https://user:pass@id.example.com": "neither a user",
        "issuer: id.example.com": "https",
        'issuer: "http://localhost:8000"': "twice",
    },
    "audience: figway": {"audience: ''": "at least 1 character", "audiences: figway": "audiences"},
    "algorithms: [ES256]": {
        "algorithms: [HS256]": "ES256",
        "algorithms: [none]": "ES256",
        "algorithms: []": "at least 1 item",
    },
    "leeway: 30s": {"leeway: 1h": "at most 5m", "leeway: 30": "duration"},
    '"env:SECRET"': {"s3cret": "must be a reference"},
    'jwks_url: "http://127.0.0.1:8000/jwks"': {'jwks_url: "http://10.0.0.1/jwks"': "https"},
    'trusted: ["10.0.0.0/24", "2001:db8::1/128"]': {
        "trusted: []": "at least 1 item",
        'trusted: ["10.0.0.7/24"]': "network",
        'trusted: ["proxy.internal"]': "network",
    },
    "header: X-Client-Cert": {'header: "X Client"': "header", 'header: "a:b"': "header"},
    "principal: uri": {"principal: serial": "common_name"},
    "roles: [service]": {'roles: [" "]': "roles"},
}


@pytest.mark.parametrize(
    ("good", "bad", "says"), [(good, bad, says) for good, each in BROKEN.items() for bad, says in each.items()]
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, good: str, bad: str, says: str) -> None:
    assert WHOLE.count(good) == 1
    with pytest.raises(InvalidWorkspace) as told:
        load(tmp_path, WHOLE.replace(good, bad), {"SECRET": "s"})
    errors = [each for each in told.value.findings if each.level == "error"]
    assert any(says in str(each) for each in errors), [str(each) for each in errors]
    assert all(each.line > 2 and "s3cret" not in str(each) for each in errors)


def test_opaque_tokens_belong_to_one_issuer(tmp_path: Path) -> None:
    asked = 'introspection: {url: "https://x.example/i", client_id: a, client_secret: "env:SECRET"}'
    text = WHOLE.replace('jwks_url: "http://127.0.0.1:8000/jwks"', asked)
    with pytest.raises(InvalidWorkspace) as told:
        load(tmp_path, text, {"SECRET": "s"})
    assert "only one issuer can have introspection" in str(told.value.findings[0])


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("10.0.0.1", False),
        ("", False),
        ("LOCALHOST", False),
    ],
)
def test_only_this_host_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
    if host and not loopback and ":" not in host and host.islower():
        with pytest.raises(ValueError, match="https"):
            safe_url(f"http://{host}/")
