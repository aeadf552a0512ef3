"""What callers may see, and how often: rows, masks, limits, other callers' things, the gateway's own routes."""

from __future__ import annotations

import json
import re
import threading
from typing import Any
from urllib.parse import quote

import httpx


def _refused(response: httpx.Response, *statuses: int) -> None:
    assert response.status_code in statuses, response.text


def _other(lab: Any) -> dict[str, Any]:
    """An article that the partner doesn't see."""
    items = lab.get("/shelves?limit=50", "platform").json()["items"]
    return next(each for each in items if each["warehouse"] != "HALDEN")


def cedar_in_a_principal(lab: Any) -> None:
    _refused(lab.get("/-/metrics", "injecting"), 403)
    assert lab.get("/inventory?limit=1", "injecting").status_code == 200


def cedar_in_an_argument(lab: Any) -> None:
    for text in ('x" || true || "', "x') permit(principal,action,resource);", 'User::"petra"'):
        _refused(lab.get(f"/hostile/{quote(text, safe='')}", "nobody"), 403)


def cedar_in_what_is_explained(lab: Any) -> None:
    response = lab.get(
        "/-/policy/explain", "platform", params={"as": 'x") || true', "action": "get_shelf", "role": 'a"b'}
    )
    assert response.status_code in (200, 400)
    _refused(lab.get("/-/policy/explain?as=petra&action=get_shelf", "agent"), 403)


def row_by_its_key(lab: Any) -> None:
    hidden = lab.get(f"/shelves/{_other(lab)['sku']}", "partner")
    absent = lab.get("/shelves/NO-SUCH", "partner")
    assert hidden.status_code == absent.status_code == 404
    assert {**hidden.json(), "instance": ""} == {**absent.json(), "instance": ""}


def row_by_a_filter(lab: Any) -> None:
    other = _other(lab)
    for query in (f"warehouse={other['warehouse']}", f"sku.in={other['sku']}", f"name.like={quote(other['name'])}"):
        assert lab.get(f"/shelves?{query}", "partner").json() == {"items": [], "next": None}


def row_by_a_wildcard(lab: Any) -> None:
    items = lab.get("/shelves?name.like=%25&limit=50", "partner").json()["items"]
    assert {each["warehouse"] for each in items} == {"HALDEN"}


def row_by_a_page(lab: Any) -> None:
    path, seen = "/shelves?limit=50", set()
    for _ in range(60):
        page = lab.get(path, "partner").json()
        seen |= {each["warehouse"] for each in page["items"]}
        if page["next"] is None:
            break
        path = page["next"]
    assert seen == {"HALDEN"}


def row_by_another_ones_cursor(lab: Any) -> None:
    following = lab.get("/shelves?limit=1", "platform").json()["next"]
    _refused(lab.get(following, "partner"), 400)


def row_by_case_and_blanks(lab: Any) -> None:
    for text in ("halden ", "Halden", "HALDEN%00", "HALDEN' OR '1'='1"):
        response = lab.get(f"/shelves?warehouse={quote(text)}", "partner")
        assert response.status_code == 400 or not [e for e in response.json()["items"] if e["warehouse"] != "HALDEN"]


def mask_by_a_filter(lab: Any) -> None:
    _refused(lab.get("/shelves?unit_price.ge=5.00", "partner"), 400)
    _refused(lab.get("/shelves?reserved.null=false", "partner"), 400)


def mask_by_a_sort(lab: Any) -> None:
    for sort in ("unit_price", "-unit_price", "sku,-reserved", "UNIT_PRICE", "unit_price "):
        _refused(lab.get("/shelves", "partner", params={"sort": sort}), 400, 422)


def mask_by_an_error(lab: Any) -> None:
    response = lab.get("/shelves", "partner", params={"sort": "nonsense"})
    _refused(response, 400, 422)
    assert "unit_price" not in response.text


def mask_by_lineage(lab: Any) -> None:
    response = lab.get("/shelves?limit=1", "partner")
    assert "unit_price" not in response.text
    lineage = lab.get(f"/-/lineage/{response.headers['figway-lineage']}", "partner")
    other = _other(lab)["sku"]
    assert other not in lineage.text


def document_that_tells_too_much(lab: Any) -> None:
    document = lab.get("/openapi.json", "partner").json()
    assert set(document["paths"]) == {"/shelves", "/shelves/{sku}"}
    assert "x-gateway" not in json.dumps(document)
    assert not lab.get("/openapi.json", "nobody").json()["paths"]
    _refused(lab.get("/openapi.json", None), 401)


def method_behind_a_permitted_path(lab: Any) -> None:
    path = f"/customers/{lab.samples['customer_id']}"
    before = lab.get(path).json()
    _refused(lab.call("PATCH", path, "agent", json={"phone": "1"}), 403)
    _refused(lab.call("PATCH", path, "nobody", content=b"{", headers={"content-type": "x"}), 403)
    assert lab.get(path).json() == before


def order_of_refusals(lab: Any) -> None:
    """Who may not call a route learns nothing of its contract."""
    response = lab.post("/tasks", b'{"nonsense": 1}', "partner")
    _refused(response, 403)
    assert "nonsense" not in response.text


# other callers' things


def operation_of_another(lab: Any) -> None:
    made = lab.post("/tasks", lab.task(), headers={"idempotency-key": '"op-1"', "prefer": "respond-async"})
    id = made.headers["figway-lineage"]
    assert lab.get(f"/-/operations/{id}").status_code == 200
    for who in ("other", "nobody", "partner"):
        _refused(lab.get(f"/-/operations/{id}", who), 404)
    _refused(lab.get(f"/-/operations/{id}", None), 401)


def operation_by_its_neighbour(lab: Any) -> None:
    id = lab.post("/tasks", lab.task(), headers={"idempotency-key": '"op-2"'}).headers["figway-lineage"]
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    for last in alphabet:
        if last != id[-1]:
            _refused(lab.get(f"/-/operations/{id[:-1]}{last}", "other"), 404)


def operation_by_an_injected_id(lab: Any) -> None:
    for id in ("' OR 1=1--", "%25", "..%2f..%2f", "x" * 4_000, "*", "%00"):
        _refused(lab.get(f"/-/operations/{quote(id, safe='%')}", "other"), 400, 404)


def lineage_of_another(lab: Any) -> None:
    id = lab.mark()
    lab.audited()
    assert lab.get(f"/-/lineage/{id}").status_code == 200
    for who in ("other", "nobody", "partner"):
        hidden, absent = lab.get(f"/-/lineage/{id}", who), lab.get("/-/lineage/01AAAAAAAAAAAAAAAAAAAAAAAA", who)
        _refused(hidden, 404)
        assert {**hidden.json(), "instance": ""} == {**absent.json(), "instance": ""}


def lineage_by_an_injected_id(lab: Any) -> None:
    for id in ("' OR 1=1--", "%25", "..%2faudit", "x" * 4_000, "%0a"):
        _refused(lab.get(f"/-/lineage/{quote(id, safe='%')}", "other"), 400, 404)


def audit_without_permission(lab: Any) -> None:
    for path in ("/-/audit", f"/-/audit/{lab.mark()}", "/-/audit?principal=petra", "/-/audit/"):
        _refused(lab.get(path, "agent"), 403, 404)
        _refused(lab.get(path, None), 401, 404)


def audit_by_an_injected_question(lab: Any) -> None:
    for query in (
        "principal=x'%20OR%201=1--",
        "text=%25%25%25%25",
        "limit=1e9",
        "time.ge=0'%3bDROP",
        "nonsense=1",
        "limit=1&limit=2",
    ):
        response = lab.get(f"/-/audit?{query}", "platform")
        assert response.status_code in (200, 400)


def own_routes_without_permission(lab: Any) -> None:
    for path in ("/-/metrics", "/-/policy/trials", "/-/policy/explain?as=x&action=get_shelf"):
        _refused(lab.get(path, "agent"), 403)
        _refused(lab.get(path, None), 401)


def own_routes_that_do_not_exist(lab: Any) -> None:
    for path in (
        "/-/admin",
        "/-/env",
        "/-/debug/pprof",
        "/-/config",
        "/.env",
        "/.git/config",
        "/server-status",
        "/actuator",
    ):
        _refused(lab.get(path, "nobody"), 403, 404)


def readiness_that_tells_too_much(lab: Any) -> None:
    text = lab.get("/-/ready", None).text
    for name in ("CRM_URL", "DROP_DIR", "ERP_DSN"):
        assert lab.environment[name] not in text
    assert "127.0.0.1" not in text


def documentation_page(lab: Any) -> None:
    response = lab.get("/docs?url=https://evil.example/x.json", None)
    assert "evil.example" not in response.text
    assert "http://" not in response.text.replace("http://www.w3.org", "")


# limits


def _spent(lab: Any, who: str, **headers: str) -> int:
    return [lab.get("/metered", who, headers=headers).status_code for _ in range(5)].count(200)


def limit_by_another_key(lab: Any) -> None:
    assert _spent(lab, "metered") + _spent(lab, "metered_too") <= 3


def limit_by_a_forwarded_address(lab: Any) -> None:
    answers = [_spent(lab, "metered", **{"x-forwarded-for": f"10.0.0.{number}"}) for number in range(3)]
    assert sum(answers) <= 3


def limit_by_spelling(lab: Any) -> None:
    served = 0
    for path in (
        "/metered",
        "/metered?",
        "/metered#x",
        "/%6detered",
        "/metered%20",
        "/Metered",
        "/./metered",
        "/metered?a",
    ):
        served += sum(lab.get(path, "metered").status_code == 200 for _ in range(3))
    assert served <= 3


def limit_by_other_methods(lab: Any) -> None:
    served = sum(lab.call("HEAD", "/metered", "metered").status_code == 200 for _ in range(6))
    assert served <= 3


def limit_by_a_new_agent(lab: Any) -> None:
    """An agent's name comes from its credential; what a header says of it counts for nothing."""
    names = ({"user-agent": f"agent-{n}", "x-agent": f"a{n}", "figway-agent": f"b{n}"} for n in range(6))
    assert sum(lab.get("/metered", "metered", headers=each).status_code == 200 for each in names) <= 3


def limit_by_a_race(lab: Any) -> None:
    token = lab.token(sub="racer", act={"sub": "fast"})
    served: list[int] = []
    barrier = threading.Barrier(12)

    def ask() -> None:
        barrier.wait()
        served.append(lab.get("/metered", None, headers=token).status_code)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert served.count(200) == 3


def limit_headers_that_inject(lab: Any) -> None:
    response = lab.get("/metered", None, headers=lab.token(sub='evil";q=9, "x', act={"sub": 'b";r=999'}))
    assert "evil" not in response.headers.get("ratelimit", "") + response.headers.get("ratelimit-policy", "")


def guesses_of_credentials(lab: Any) -> None:
    with httpx.Client(base_url=lab.gateway.url, timeout=20) as client:
        answers = [
            client.get("/metered", headers={"authorization": f"Bearer figway_{n}"}).status_code for n in range(700)
        ]
    assert set(answers) <= {401, 429}
    assert 429 in answers or len(answers) == answers.count(401)


def cursor_that_is_read(lab: Any) -> None:
    """Where somebody is narrowed, a cursor tells nothing of what it stands for."""
    following = lab.get("/shelves?limit=1&sort=name", "partner").json()["next"]
    cursor = re.search(r"cursor=([^&]+)", following)[1]
    assert "name" not in cursor
