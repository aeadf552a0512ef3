"""Whatever a contract or gateway.yaml holds: a workspace, or findings; never a crash."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.routing.load import compile_workspace
from gateway.routing.model import Finding, InvalidWorkspace

ODD = [None, True, 0, -1, "", [], {}, "x", [None], {"a": None}, {"$ref": "#/x"}, {"$ref": 5}, 10**30, "{", "env:X"]
KEYS = ["$ref", "type", "properties", "items", "allOf", "in", "name", "required", "x-gateway", "parameters"]


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if place:
        yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from _places(each, (*place, key))


@settings(
    deadline=None, max_examples=150, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # the fixture's files aren't changed
@given(data=st.data())
def test_an_odd_value_anywhere_is_told(files: dict[str, bytes], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["gateway.yaml", "openapi/things.yaml"]))
    document = yaml.safe_load(files[name])
    place = data.draw(st.sampled_from(list(_places(document))))
    holder = document
    for part in place[:-1]:
        holder = holder[part]
    odd = copy.deepcopy(data.draw(st.sampled_from(ODD)))
    if isinstance(holder, dict) and data.draw(st.booleans()):
        holder[data.draw(st.sampled_from(KEYS))] = odd
    else:
        holder[place[-1]] = odd
    changed = {**files, name: yaml.safe_dump(document).encode()}
    cache = Path(gettempdir()) / "figway-unused"
    findings: tuple[Finding, ...] = ()
    try:
        compile_workspace(changed, cache=cache, environment={}, strict_secrets=False)
    except InvalidWorkspace as error:
        findings = error.findings
    assert not findings or any(finding.level == "error" for finding in findings)
    assert all(str(finding) for finding in findings)


@pytest.mark.parametrize("odd", ["1" + "0" * 30, r'"\ud800"'], ids=["number", "surrogate"])
@pytest.mark.parametrize("key", ["description", "example"])
def test_what_json_cant_hold_is_no_crash(files: dict[str, bytes], key: str, odd: str) -> None:
    changed = {**files, "openapi/things.yaml": files["openapi/things.yaml"] + f"\nx-odd: {{{key}: {odd}}}\n".encode()}
    findings: tuple[Finding, ...] = ()
    try:
        compile_workspace(changed, cache=Path(gettempdir()) / "figway-unused", environment={}, strict_secrets=False)
    except InvalidWorkspace as error:
        findings = error.findings
    assert all(str(finding) for finding in findings)


def test_a_reply_without_media_types_is_told(files: dict[str, bytes]) -> None:
    changed = yaml.safe_load(files["openapi/things.yaml"])
    changed["paths"]["/things/{thing_id}"]["get"]["responses"]["200"]["content"] = None
    with pytest.raises(InvalidWorkspace) as told:
        compile_workspace(
            {**files, "openapi/things.yaml": yaml.safe_dump(changed).encode()},
            cache=Path(gettempdir()) / "figway-unused",
            environment={},
            strict_secrets=False,
        )
    assert [each.message for each in told.value.findings if "media types" in each.message]
