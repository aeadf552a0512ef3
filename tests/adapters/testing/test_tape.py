"""What was taped is replayed, and what is hidden isn't on the tape."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from adapters import errors
from adapters.contract import Adapter, Context, Effect, Json, Operation, Probe, Result, Source
from adapters.secret import Reference, kept, without_secrets
from adapters.testing import InvalidTape, Replaying, Taping
from adapters.testing import tape as tapes

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANY = {"type": "object"}
SECRET = "the taped system's secret"
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


class Echo:
    """Answers what it is given, or raises it, and counts."""

    name = "echo"

    def __init__(self) -> None:
        self.calls = 0

    def operations(self) -> Mapping[str, Operation]:
        listed = Operation("say", Effect.READ, ANY, ANY, "Says.", True, filters=frozenset({"b", "a"}), sorts=False)
        return {"say": listed, "do": Operation("do", Effect.WRITE, ANY, ANY)}

    async def open(self) -> None: ...
    async def close(self) -> None: ...

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        self.calls += 1
        if isinstance(input.get("raise"), dict):
            said = dict(input["raise"])
            raise getattr(errors, said.pop("kind"))(**said)
        value = {"value": input.get("value"), "iban": "DE02", "amount": 12, "calls": self.calls, "said": SECRET}
        source = Source("echo", operation, "account/DE02", (0, 7), AT)
        return Result(value, AT, (source, Source("echo", "x")), ("careful",))

    async def probe(self, context: Context) -> Probe:
        return Probe(True, "answers", 0.0)


def context(effect: Effect | None = None) -> Context:
    return Context(time.monotonic() + 10, effect=effect)


async def test_a_read_gets_its_answers_in_their_order_and_then_the_last(tmp_path: Path) -> None:
    adapter = Taping(Echo(), tmp_path / "tape")
    taped = [await adapter.invoke("say", {"value": 1}, context()) for _ in range(2)]
    replayed: Adapter = Replaying(tmp_path / "tape")
    found = [await replayed.invoke("say", {"value": 1}, context()) for _ in range(3)]
    assert found == [taped[0], taped[1], taped[1]]
    assert replayed.operations() == Echo().operations()
    assert replayed.name == "echo"
    assert (await replayed.probe(context())).ok


async def test_a_write_happens_once_on_replay(tmp_path: Path) -> None:
    adapter = Taping(Echo(), tmp_path / "tape")
    taped = await adapter.invoke("do", {"value": 1}, context())
    replayed = Replaying(tmp_path / "tape")
    assert await replayed.invoke("do", {"value": 1}, context()) == taped
    for value in (1, 2):
        with pytest.raises(errors.DoNotRetry, match="no answer, or no further one, to this call of do"):
            await replayed.invoke("do", {"value": value}, context())


async def test_what_the_binding_declares_goes_before_the_operation(tmp_path: Path) -> None:
    adapter = Taping(Echo(), tmp_path / "tape")
    await adapter.invoke("do", {}, context())
    replayed = Replaying(tmp_path / "tape")
    for _ in range(2):
        await replayed.invoke("do", {}, context(Effect.READ))


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "NotFound", "message": "gone"},
        {"kind": "Retry", "message": "busy", "retry_after": 1.5},
        {"kind": "Unacknowledged", "message": "who knows", "answered": True},
        {"kind": "Invalid", "message": "wrong", "errors": [errors.FieldError("/a", "is wrong")]},
    ],
    ids=lambda said: said["kind"],
)
async def test_an_error_is_raised_again_without_its_detail(tmp_path: Path, said: dict[str, Any]) -> None:
    class Failing(Echo):
        async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
            return await super().invoke(operation, {"raise": {**said, "detail": "of the operator's"}}, context)

    with pytest.raises(errors.AdapterError) as first:
        await Taping(Failing(), tmp_path / "tape").invoke("say", {}, context())
    with pytest.raises(errors.AdapterError) as second:
        await Replaying(tmp_path / "tape").invoke("say", {}, context())
    assert type(second.value) is type(first.value)
    assert {**vars(second.value)} == {**vars(first.value), "detail": ""}


async def test_secrets_and_hidden_fields_are_not_on_the_tape(tmp_path: Path) -> None:
    kept(Reference(SECRET, "env:TAPED"))
    adapter = Taping(Echo(), tmp_path / "tape", hide=["iban", "amount", "message"])
    given = {"value": {"iban": "DE99", "other": [SECRET, {"amount": 2026}]}}
    answered = await adapter.invoke("say", given, context())
    assert answered.value["iban"] == "DE02"
    text = (tmp_path / "tape").read_text()
    assert not [each for each in (SECRET, "DE99", "DE02", "12,") if each in text]
    found = await Replaying(tmp_path / "tape").invoke("say", given, context())
    assert found.value == {
        "value": {"iban": "…", "other": ["…", {"amount": 0}]}, "iban": "…", "amount": 0, "calls": 1, "said": "…"
    }  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
def test_every_json_value_comes_back(tmp_path: Path, value: Json) -> None:
    async def once() -> tuple[Json, Json]:
        taped = await Taping(Echo(), tmp_path / "tape").invoke("say", {"value": value}, context())
        found = await Replaying(tmp_path / "tape").invoke("say", {"value": value}, context())
        return taped.value["value"], found.value["value"]

    said = json.dumps(value, ensure_ascii=False)
    assume(without_secrets(said) == said)  # other tests' secrets are remembered by this process, too
    taped, found = asyncio.run(once())
    assert json.dumps(taped, sort_keys=True) == json.dumps(found, sort_keys=True)


@pytest.mark.parametrize(
    "text",
    ["", "7", "{}", '{"tape": 2}', '{"tape": 1, "name": "x", "hide": [], "operations": []}\n{"operation": "a"', "\x00",
     '{"tape": 1, "name": "x", "hide": [], "operations": []}\n'
     '{"operation": "a", "input": {}, "error": {"kind": "FieldError", "message": "m"}}'],
    ids=["empty", "number", "object", "version", "torn", "nul", "strange-error"],
)  # fmt: skip
def test_what_is_no_tape_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "tape").write_text(text)
    with pytest.raises(InvalidTape):
        Replaying(tmp_path / "tape")


async def test_a_tape_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = Taping(Echo(), tmp_path / "tape")
    monkeypatch.setattr(tapes, "LONGEST", 10)
    with pytest.raises(InvalidTape, match="as long as one may be"):
        await adapter.invoke("say", {}, context())
    with pytest.raises(InvalidTape, match="longer than"):
        Replaying(tmp_path / "tape")
