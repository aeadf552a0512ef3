"""API keys, and the places that vouch for callers."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import httpx

_WHERE = "/inventory?limit=1"


def _denied(lab: Any, credential: str | bytes | None, *statuses: int, **headers: str) -> httpx.Response:
    fields = dict(headers)
    if credential is not None:
        fields["authorization"] = credential.decode("latin-1") if isinstance(credential, bytes) else credential
    response = lab.get(_WHERE, None, headers=fields)
    assert response.status_code in (statuses or (401,)), response.text
    return response


def _signed(lab: Any, header: dict[str, Any], **changes: Any) -> str:
    return "Bearer " + lab.issuing.token(lab.issuer.claims(roles=["platform"], **changes), header=header)


def key_with_another_secret(lab: Any) -> None:
    own, other = (lab.keys[name].removeprefix("Bearer ") for name in ("nobody", "platform"))
    _denied(lab, f"Bearer figway_{lab.ids['platform']}_{own.split('_', 2)[2]}")
    assert other not in _denied(lab, f"Bearer figway_{lab.ids['platform']}_").text


def key_cut_or_grown(lab: Any) -> None:
    text = lab.keys["platform"]
    for each in (text[:-1], text + "x", text.lower(), text.replace("figway_", "FIGWAY_")):
        _denied(lab, each)
    lab.seen.clear()


def key_that_was_revoked(lab: Any) -> None:
    _denied(lab, lab.keys["revoked"])


def key_id_that_injects(lab: Any) -> None:
    for id in ("a' OR 1=1--aa", "%" * 12, "_" * 12, "../../../../"):
        _denied(lab, f"Bearer figway_{id}_{'A' * 49}")


def key_in_the_query(lab: Any) -> None:
    text = lab.keys["platform"].removeprefix("Bearer ")
    for name in ("access_token", "api_key", "token"):
        assert lab.get(f"{_WHERE}&{name}={text}", None).status_code in (400, 401)


def key_by_another_scheme(lab: Any) -> None:
    text = lab.keys["platform"].removeprefix("Bearer ")
    for scheme in ("Basic", "Digest", "Token", "bearer,", "Bearer:"):
        _denied(lab, f"{scheme} {text}")
    _denied(lab, "Basic " + base64.b64encode(f"x:{text}".encode()).decode())


def two_credentials(lab: Any) -> None:
    both = [("authorization", lab.keys["nobody"]), ("authorization", lab.keys["platform"])]
    with httpx.Client(base_url=lab.gateway.url) as client:
        assert client.get(_WHERE, headers=both).status_code == 400
    _denied(lab, f"{lab.keys['nobody']}, {lab.keys['platform']}")


def scope_that_is_left(lab: Any) -> None:
    assert lab.get(f"/inventory/{lab.samples['sku']}", "narrowed").status_code == 200
    assert lab.get(_WHERE, "narrowed").status_code == 403
    assert lab.get("/-/metrics", "narrowed").status_code == 403


def development_token_elsewhere(lab: Any) -> None:
    claims = {**lab.issuer.claims(roles=["platform"]), "iss": "https://development.figway.invalid"}
    _denied(lab, "Bearer " + lab.issuing.token(claims, "EdDSA"))


# who vouches


def certificate_from_anybody(lab: Any) -> None:
    _denied(lab, None, **{"client-cert": ":TUlJQg==:", "x-forwarded-for": "127.0.0.2", "forwarded": "for=127.0.0.2"})


def certificate_that_is_none(lab: Any) -> None:
    for text in (":TUlJQg==:", ":" + "A" * 20_000 + ":", "x", ":=:", '":x:"'):
        transport = httpx.HTTPTransport(local_address="127.0.0.2")
        assert lab.get(_WHERE, None, headers={"client-cert": text}, transport=transport).status_code in (401, 431)


def introspection_that_injects(lab: Any) -> None:
    for text in ("a" * 16 + "&token=other", "b" * 16 + "%26active=true", "c" * 20):
        _denied(lab, f"Bearer {text}")
    assert all("&" not in each for each, _ in lab.issuer.introspected)


def introspection_without_audience(lab: Any) -> None:
    lab.issuer.active["opaque-token-0123456789"] = {"active": True, "sub": "tess", "roles": ["platform"]}
    _denied(lab, "Bearer opaque-token-0123456789")


def key_set_that_redirects(lab: Any) -> None:
    lab.issuer.answers["/jwks"] = lambda: (302, {"location": f"{lab.canary.url}/jwks"}, b"")
    try:
        time.sleep(0.1)
        _denied(lab, _signed(lab, {"kid": "after-a-redirect"}), 401, 503)
    finally:
        del lab.issuer.answers["/jwks"]


def key_set_as_a_bomb(lab: Any) -> None:
    lab.issuer.answers["/jwks"] = lambda: (200, {"content-encoding": "gzip"}, lab.issuing.bomb(100_000_000))
    lab.issuer.answers["/introspect"] = lab.issuer.answers["/jwks"]
    try:
        _denied(lab, "Bearer another-opaque-token-9876", 401, 503)
    finally:
        del lab.issuer.answers["/jwks"], lab.issuer.answers["/introspect"]


def introspection_that_redirects(lab: Any) -> None:
    lab.issuer.answers["/introspect"] = lambda: (307, {"location": f"{lab.canary.url}/introspect"}, b"")
    try:
        _denied(lab, "Bearer a-third-opaque-token-555", 401, 503)
    finally:
        del lab.issuer.answers["/introspect"]


def answers_that_tell_why(lab: Any) -> None:
    texts = [lab.token(exp=1)["authorization"], lab.token(aud="x")["authorization"], lab.keys["revoked"], "Bearer x"]
    told = {json.dumps({**_denied(lab, each).json(), "instance": ""}) for each in texts}
    assert len(told) == 1
