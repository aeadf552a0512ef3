"""Credentials: forged, borrowed, misplaced, and the places that vouch for them."""

from __future__ import annotations

import base64
import hmac
import json
import time
from hashlib import sha256
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


def _part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _signed(lab: Any, header: dict[str, Any], **changes: Any) -> str:
    return "Bearer " + lab.issuing.token(lab.issuer.claims(roles=["platform"], **changes), header=header)


def good_one_is_taken(lab: Any) -> None:
    assert lab.get(_WHERE, None, headers=lab.token()).status_code == 200


def algorithm_none(lab: Any) -> None:
    claims = lab.issuer.claims(roles=["platform"])
    for name in ("none", "None", "NONE", "nOnE", ""):
        _denied(lab, f"Bearer {_part({'alg': name, 'kid': 'k1', 'typ': 'at+jwt'})}.{_part(claims)}.")
        _denied(lab, f"Bearer {_part({'alg': name, 'kid': 'k1', 'typ': 'at+jwt'})}.{_part(claims)}.AA")


def public_key_as_secret(lab: Any) -> None:
    public = json.dumps(lab.issuer.keys[0]).encode()
    signed = f"{_part({'alg': 'HS256', 'kid': 'k1', 'typ': 'at+jwt'})}.{_part(lab.issuer.claims(roles=['platform']))}"
    _denied(lab, f"Bearer {signed}.{_part(hmac.digest(public, signed.encode(), sha256))}")


def signature_left_out(lab: Any) -> None:
    whole = lab.token()["authorization"]
    head, _, _ = whole.rpartition(".")
    for text in (head, f"{head}.", f"{head}.AAAA", f"{head}.{'A' * 86}"):
        _denied(lab, text)


def zeroes_as_signature(lab: Any) -> None:
    head, _, _ = lab.token()["authorization"].rpartition(".")
    _denied(lab, f"{head}.{_part(bytes(64))}")


def key_id_as_a_path(lab: Any) -> None:
    for kid in (
        "../../../../dev/null",
        "/proc/self/environ",
        str(lab.canary_file),
        "k1\0",
        "k1' OR '1'='1",
        "k" * 9_000,
    ):
        _denied(lab, _signed(lab, {"kid": kid}), 401, 503)


def key_set_of_its_own(lab: Any) -> None:
    for header in (
        {"jku": f"{lab.canary.url}/jwks"},
        {"x5u": f"{lab.canary.url}/cert"},
        {"jwk": lab.issuer.keys[0]},
        {"x5c": ["MII"]},
    ):
        _denied(lab, _signed(lab, header))


def critical_extensions(lab: Any) -> None:
    for header in (
        {"crit": ["b64"], "b64": False},
        {"crit": []},
        {"b64": False},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"enc": "A128GCM"},
    ):
        _denied(lab, _signed(lab, header))


def type_of_another_token(lab: Any) -> None:
    for kind in ("dpop+jwt", "logout+jwt", "secevent+jwt", "id_token", "JOSE+JSON"):
        _denied(lab, _signed(lab, {"typ": kind}))


def token_for_another_audience(lab: Any) -> None:
    for audience in ("figway2", "figwa", "FIGWAY", ["other"], [], "figway other", {"figway": 1}):
        _denied(lab, lab.token(aud=audience)["authorization"])


def token_of_another_issuer(lab: Any) -> None:
    for issuer in (lab.issuer.url + "/", lab.issuer.url.upper(), "https://id.example.com", lab.canary.url):
        _denied(lab, lab.token(iss=issuer)["authorization"])


def token_out_of_its_time(lab: Any) -> None:
    now = int(time.time())
    for changes in (
        {"exp": now - 1},
        {"exp": None},
        {"exp": "9999999999"},
        {"nbf": now + 60},
        {"exp": 1e300},
        {"iat": now + 9_999},
    ):
        _denied(lab, lab.token(**changes)["authorization"])


def claims_given_twice(lab: Any) -> None:
    claims = json.dumps(lab.issuer.claims(roles=["platform"])).replace("{", '{"sub": "nobody", ', 1).encode()
    _denied(lab, "Bearer " + lab.issuing.token(claims))


def base64_of_two_spellings(lab: Any) -> None:
    good = lab.token()["authorization"]
    assert lab.get(_WHERE, None, headers={"authorization": good}).status_code == 200
    last = good[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = alphabet[alphabet.index(last) ^ 1]
    for text in (good[:-1] + twin, good + "=", good + "A"):
        _denied(lab, text)


def token_within_a_token(lab: Any) -> None:
    inner = lab.token()["authorization"].removeprefix("Bearer ")
    _denied(lab, "Bearer " + lab.issuing.token(json.dumps(inner).encode()))


def token_without_end(lab: Any) -> None:
    _denied(lab, "Bearer " + lab.issuing.token(lab.issuer.claims(roles=["r" * 14_000])))
    _denied(lab, "Bearer " + "." * 20_000)


def flood_of_key_ids(lab: Any) -> None:
    before = lab.issuer.asked.get("/jwks", 0)
    for number in range(60):
        _denied(lab, _signed(lab, {"kid": f"flood-{number}"}), 401, 503, 429)
    assert lab.issuer.asked.get("/jwks", 0) - before <= 4


def bound_token_without_its_key(lab: Any) -> None:
    _denied(lab, lab.token(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})["authorization"])


def chain_that_never_ends(lab: Any) -> None:
    chain: dict[str, Any] = {"sub": "agent-0"}
    for number in range(1, 200):
        chain = {"sub": f"agent-{number}", "act": chain}
    _denied(lab, lab.token(act=chain)["authorization"])


def chain_that_is_none(lab: Any) -> None:
    for act in ("bot", ["bot"], {}, {"sub": ""}, {"sub": ["a"]}, {"act": {"sub": "x"}}, {"sub": "a\nb"}):
        _denied(lab, lab.token(act=act)["authorization"])


def roles_by_the_actor(lab: Any) -> None:
    act = {"sub": "bot", "roles": ["platform"]}
    response = lab.get(_WHERE, None, headers=lab.token(roles=[], act=act))
    assert response.status_code == 403


def roles_of_odd_types(lab: Any) -> None:
    for roles in ({"platform": True}, [["platform"]], [None], 7):
        response = lab.get(_WHERE, None, headers=lab.token(roles=roles))
        assert response.status_code in (401, 403)


def principal_that_injects(lab: Any) -> None:
    for sub in ('x" || true', 'User::"petra"', "petra\n", "\u0000petra", "pe\u0308tra"):
        response = lab.get("/-/metrics", None, headers=lab.token(sub=sub, roles=["agent"]))
        assert response.status_code in (401, 403)


def unicode_twin_of_a_principal(lab: Any) -> None:
    for role in ("ｐlatform", "platform\u200b", "PLATFORM", "platform ", "platfοrm"):
        response = lab.get("/-/metrics", None, headers=lab.token(roles=[role]))
        assert response.status_code in (401, 403)
