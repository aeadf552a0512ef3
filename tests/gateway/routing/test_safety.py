"""What `figway check` says of plans, approvals and bounds that nothing would keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.routing.model import ApprovalRule, Finding

PUT = """
    put:
      operationId: put_thing
      tags: [things]
      requestBody: {content: {application/json: {schema: {type: object, properties: {name: {type: string}}}}}}
      responses: {"204": {description: Done.}}
      x-gateway:
        effect: EFFECT
        legacy: {upstream: shop, operation: "PUT /v1/things/{id}", input: {id: path.thing_id, body: body}DRY}
        KEYS
components:
"""
Files = Mapping[str, bytes]


@pytest.fixture
def route(files: Files) -> Callable[..., dict[str, bytes]]:
    """The workspace with a write that says `keys`."""

    def made(keys: str, effect: str = "write", dry: str = "") -> dict[str, bytes]:
        text = PUT.replace("EFFECT", effect).replace("DRY", dry).replace("KEYS", keys)
        contract = files["openapi/things.yaml"].decode().replace("\ncomponents:\n", text)
        return {**files, "openapi/things.yaml": contract.encode()}

    return made


@pytest.mark.parametrize(
    ("keys", "effect", "sentence"),
    [
        ("plan: required", "write", "can neither be tried nor shown beforehand"),
        ("max_affected: 5", "write", "doesn't count what it changes"),
        ("max_affected: 0", "write", "greater than or equal to 1"),
        ("approval: {when: body.colour}", "write", "there is no 'colour' in body"),
        ("approval: {when: 'body.['}", "write", ""),
        ("approval: {needed: 0}", "write", "greater than or equal to 1"),
        ("approval: {who: boss}", "write", "who"),
        ("approval: always", "write", ""),
        ("plan: please", "write", "required"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_nothing_would_keep_is_found(
    route: Callable[..., Files], problems: Callable[[Files], list[Finding]], keys: str, effect: str, sentence: str
) -> None:
    told = [str(each) for each in problems(route(keys, effect))]
    assert told
    assert any(sentence in each for each in told), told


@pytest.mark.parametrize("keys", ["plan: required", "approval: required", "max_affected: 1"])
def test_a_read_needs_none_of_it(files: Files, problems: Callable[[Files], list[Finding]], keys: str) -> None:
    contract = files["openapi/things.yaml"].decode().replace("effect: read", f"effect: read\n        {keys}")
    told = [str(each) for each in problems({**files, "openapi/things.yaml": contract.encode()})]
    assert any("a read changes nothing" in each for each in told), told


def test_what_is_kept_is_compiled(route: Callable[..., Files], load: Callable[..., Any]) -> None:
    routes = {each.operation_id: each for each in load(route("approval: required")).compiled.routes}
    assert routes["put_thing"].approval == ApprovalRule()
    keys = "plan: required\n        approval: {when: body.name == 'big', needed: 2}"
    made = load(route(keys, dry=", dry_run: true")).compiled.routes
    found = next(each for each in made if each.operation_id == "put_thing")
    assert (found.plan, found.approval.needed, found.approval.when.source) == (True, 2, "body.name == 'big'")
