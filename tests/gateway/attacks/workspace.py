"""The workspace that is attacked, and the keys of its callers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from gateway.cli.key import Desk

ROOT = Path(__file__).parents[3]
SOAPS = 6
_POLICY = """
permit (principal in Role::"platform", action, resource);
permit (principal in Role::"agent", action in Action::"read", resource);
permit (principal in Role::"agent", action == Action::"create_task", resource);
permit (principal in Role::"agent", action == Action::"post_hostile", resource);
@rows("warehouse = 'HALDEN'") @mask("unit_price, reserved")
permit (principal in Role::"partner", action in Action::"read", resource in Group::"shelves");
permit (principal == User::"quote\\"er", action == Action::"get_metered", resource);
permit (principal in Role::"scraper", action == Action::"gateway:read_metrics", resource);
"""
_LIMITS = """
rules:
  - {match: {agent: "*"}, rate: 1000/s, burst: 5000, concurrency: 300}
  - {match: {principal: "*", agent: "*", route: get_metered}, rate: 1/h, burst: 3}
"""


def write(folder: Path, running: ModuleType, issuer: str) -> None:
    shutil.copytree(ROOT / "openapi", folder / "openapi", dirs_exist_ok=True)
    document = yaml.safe_load((ROOT / "gateway.yaml").read_text())
    bounds = {"deadline": "2s", "max_body": 2**21}
    document["upstreams"] |= {
        "lab": {"kind": "lab", "journal": str(folder / "journal.txt")},
        "hostile": {
            "kind": "http",
            "base_url": "env:HOSTILE_URL",
            "auth": {"bearer": "env:HOSTILE_TOKEN"},
            **bounds,
        },
    }
    document["upstreams"] |= {
        f"hostile_soap{number}": {
            "kind": "soap",
            "wsdl": "openapi/sources/crm/crm.wsdl",
            "address": "env:HOSTILE_SOAP",
            "auth": {"wsse": {"username": "figway", "password": "env:HOSTILE_TOKEN"}},
            **bounds,
        }
        for number in range(SOAPS)
    }  # fmt: skip
    introspection = {"url": f"{issuer}/introspect", "client_id": "figway", "client_secret": "env:CLIENT_SECRET"}
    document["identity"] = {
        "issuers": [{"issuer": issuer, "audience": "figway", "introspection": introspection}],
        "proxy": {"trusted": ["127.0.0.2/32"], "roles": ["platform"]},
    }  # fmt: skip
    document["defaults"]["deadline"] = "4s"
    contract = yaml.safe_load((Path(__file__).parent / "attack.yaml").read_text())
    # The same thing several times, as each has a breaker that leaves it alone after ten failures.
    one = json.dumps(contract["paths"].pop("/soap/{customer_id}"))
    for number in range(SOAPS):
        again = one.replace("get_soap", f"get_soap{number}").replace("hostile_soap", f"hostile_soap{number}")
        contract["paths"][f"/soap{number}/{{customer_id}}"] = json.loads(again)
    files = {"gateway.yaml": yaml.safe_dump(document), "openapi/attack.yaml": yaml.safe_dump(contract)}
    running.write_workspace(folder, {**files, "policies/access.cedar": _POLICY, "policies/limits.yaml": _LIMITS})


def make_keys(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    callers: dict[str, dict[str, Any]] = {
        "agent": {"roles": ["agent"], "principal": "ada", "agent": "bot"},
        "other": {"roles": ["agent"], "principal": "otto", "agent": "bot"},
        "platform": {"roles": ["platform"], "principal": "petra"},
        "partner": {"roles": ["partner"], "principal": "paul"},
        "nobody": {"roles": [], "principal": "nils"},
        "scraper": {"roles": ["scraper"], "principal": "sam"},
        "metered": {"roles": ["agent"], "principal": "mia", "agent": "meter"},
        "metered_too": {"roles": ["agent"], "principal": "mia", "agent": "meter"},
        "narrowed": {"roles": ["platform"], "principal": "petra", "scopes": ["get_inventory"]},
        "revoked": {"roles": ["platform"], "principal": "rita"},
        "injecting": {
            "roles": ["agent"],
            "principal": 'x", action, resource); permit (principal, action, resource); //',
        },
    }
    keys, ids = {}, {}
    with Desk.open(folder) as desk:
        for name, caller in callers.items():
            text, _ = desk.create(expires=None, **caller)
            keys[name], ids[name] = f"Bearer {text}", text.split("_")[1]
        desk.revoke(ids["revoked"])
    return keys, ids
