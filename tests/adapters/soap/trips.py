"""There and back: instances of a message's schema are rendered, judged by libxml2 against the WSDL's own schemas, and
decode to the same again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC
from types import ModuleType
from typing import Any

import jsonschema_rs
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.soap.content import elements
from adapters.soap.decode import Decoder
from adapters.soap.form import Complex, Form, Message, OperationForm
from adapters.soap.notes import Notes
from adapters.soap.reached import reached
from adapters.soap.render import Renderer
from adapters.soap.schema import input_schema, output_schema
from adapters.soap.values import BadValue

# A failure here is read by its difference, not by its size: shrinking takes minutes.
STABLE = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
Judge = Callable[[etree._Element], None]


def accepted(schema: etree.XMLSchema) -> Judge:
    """Fails for an element that `schema` doesn't accept."""
    return lambda node: schema.assertValid(etree.fromstring(etree.tostring(node, encoding="utf-8")))


def checker(form: Form, message: Message, judge: Judge, soap: str = "1.1") -> Callable[[Any], None]:
    """Takes a value of `message` there and back; `judge` sees the header blocks and the body's elements."""
    renderer, decoder = Renderer(form, message, soap), Decoder(form, message, UTC)
    validator = jsonschema_rs.validator_for(input_schema(form, message), validate_formats=True)
    answer = jsonschema_rs.validator_for(output_schema(form, message), validate_formats=True)

    def check(value: Any) -> None:
        if any("is not valid under" in each.message and each.instance is None for each in validator.iter_errors(value)):
            return  # A reply may be null where a request has to give attributes.
        validator.validate(value)
        try:
            parts = f"<Header>{renderer.headers(value)}</Header><Body>{renderer.body(value)}</Body>"
        except BadValue as error:
            if error.message.startswith("breaks "):  # What no JSON Schema can say, nor its instances know.
                return
            raise
        header, body = etree.fromstring(f"<Envelope{renderer.namespaces}>{parts}</Envelope>".encode())
        for node in (*header, *body):
            judge(node)
        notes = Notes()
        decoded = decoder.body(list(body), notes)
        assert decoded == value
        assert not notes.unknown
        assert not notes.missing
        answer.validate(decoded)

    return check


def run(form: Form, message: Message, judge: Judge, generator: ModuleType, examples: int, soap: str = "1.1") -> None:
    """So many instances of `message`, there and back."""
    check = checker(form, message, judge, soap)
    schema = output_schema(form, message)
    if has_mixed(form, message):
        schema = generator.without_elements(schema)
    strategy: st.SearchStrategy[Any] = generator.instances(schema)

    @settings(STABLE, max_examples=examples)
    @given(strategy)
    def each(value: Any) -> None:
        check(value)

    each()


def every(form: Form, judge: Judge, generator: ModuleType, examples: int, most: int | None = None) -> int:
    """So many instances of each message of every port; of `most` operations, where that is given. How many messages."""
    count = 0
    for port in form.ports:
        for operation in sample(port.operations, most):
            for message in (operation.input, operation.output):
                if message is not None:
                    run(form, message, judge, generator, examples, port.soap)
                    count += 1
    return count


def sample(operations: Sequence[OperationForm], most: int | None) -> Sequence[OperationForm]:
    """A spread of a big service's operations."""
    return operations[:: max(1, len(operations) // most)] if most else operations


def has_mixed(form: Form, message: Message) -> bool:
    """Whether a message holds mixed content with declared elements, which is XML text that no JSON Schema knows."""
    waiting, seen = [part.type for part in message.parts], set[str]()
    while waiting:
        key = waiting.pop()
        if key in seen or key.startswith("xsd:"):
            continue
        seen.add(key)
        found = form.types[key]
        if isinstance(found, Complex) and found.mixed and found.content and list(elements(found.content)):
            return True
        waiting.extend(reached(form.types, key))
    return False
