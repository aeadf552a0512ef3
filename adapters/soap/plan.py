"""Everything that one operation needs at request time, made once: schemas, validator, renderer, decoders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal

import jsonschema_rs

from adapters.contract import Effect, Json, JsonSchema, Operation
from adapters.errors import FieldError, pointer
from adapters.soap.attachments import ATTACHMENTS, SCHEMA, Outgoing, without_blobs
from adapters.soap.decode import Decoder
from adapters.soap.faults import Detail
from adapters.soap.form import BUILTIN, FaultForm, Form, Message, OperationForm, PortForm
from adapters.soap.notes import Notes
from adapters.soap.reached import reached
from adapters.soap.render import Renderer
from adapters.soap.reply import ENVELOPES, Fault
from adapters.soap.schema import input_schema, output_schema
from adapters.soap.values import BadValue

# The verb must end where the next word begins: "GetOrder", "get_order", but not "Getaway" or "Listen".
_READS = re.compile(
    r"(?:get|list|find|search|query|read|fetch|lookup|describe|count|exists|retrieve|select|view|ping|echo)"
    r"(?!(?-i:[a-z]))",
    re.IGNORECASE,
)
_MOST_ERRORS = 50
_MOST_TEXT = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """One operation, ready to be called."""

    operation: Operation
    form: OperationForm
    soap: Literal["1.1", "1.2"]
    validator: jsonschema_rs.Validator
    renderer: Renderer
    decoder: Decoder
    faults: Mapping[str, tuple[FaultForm, Decoder]]
    """Tag of the detail's element → the fault and the detail's decoder."""
    attaches: bool = False
    """Whether `#attachments` is part of its input and result."""
    recurs: bool = False
    """Whether its result may be as deep as a reply likes."""

    def errors(self, input: Mapping[str, Json]) -> tuple[FieldError, ...]:
        """What in `input` breaks the operation's schema; empty when nothing does."""
        try:
            if self.validator.is_valid(input):
                return ()
        except ValueError:
            # What JSON doesn't know: content in files.
            input = without_blobs(input)
        found: list[FieldError] = []
        for error in self.validator.iter_errors(input):
            found.append(FieldError(pointer(*error.instance_path), error.message[:_MOST_TEXT]))
            if len(found) == _MOST_ERRORS:
                break
        return tuple(found)

    def envelope(
        self, input: Mapping[str, Json], header: str, out: Outgoing | None = None, declared: str = ""
    ) -> bytes:
        """The whole request; `header` is the content of soap:Header; `out` takes what shall go beside the message;
        `declared` are more namespaces for all of it. Raises `BadValue`."""
        body = self.renderer.body(input, out)
        header += self.renderer.headers(input)
        head = f"<e:Header>{header}</e:Header>" if header else ""
        return (
            '<?xml version="1.0" encoding="utf-8"?>'
            f'<e:Envelope xmlns:e="{ENVELOPES[self.soap]}"{self.renderer.namespaces}{declared}>'
            f"{head}<e:Body>{body}</e:Body></e:Envelope>"
        ).encode()

    def headers(self) -> dict[str, str]:
        """The HTTP headers that SOAP asks for (SOAP 1.1, section 6.1; SOAP 1.2 part 2, section 7)."""
        action = header_text(self.form.action)
        if self.soap == "1.1":
            return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}
        parameter = f'; action="{action}"' if action else ""
        return {"Content-Type": f"application/soap+xml; charset=utf-8{parameter}"}

    def detail(self, fault: Fault) -> Detail:
        """What the fault's detail says. An element that the WSDL declares tells something only when it is as declared:
        PHP sends an empty one of the only declared fault with every other fault, too."""
        names: list[str] = []
        for node in fault.detail:
            tag = str(node.tag)
            known = self.faults.get(tag)
            if known is None:
                names.append(tag.rpartition("}")[2])
                continue
            form, decoder = known
            notes = Notes()
            try:
                value = decoder.body([node], notes)
            except BadValue:
                continue
            if not notes.missing:
                return Detail((form.element.name, form.name), value[form.element.name])
        return Detail(tuple(names), None)


class Operations(Mapping[str, Operation]):
    """A port's operations by name, each compiled when it is first asked for. Safe for use by several threads."""

    def __init__(self, form: Form, port: PortForm, zone: tzinfo, *, attaches: bool = False) -> None:
        self._form = form
        self._port = port
        self._zone = zone
        self._attaches = attaches
        self._places = {name: place for place, name in enumerate(port.names)}
        self._plans: dict[str, Plan] = {}

    def plan(self, name: str) -> Plan:
        """The plan of the operation called `name`; raises `KeyError`."""
        found = self._plans.get(name)
        # Two threads may both compile a plan; one of two equal ones is kept.
        return found or self._plans.setdefault(name, self._compile(self._port.operations[self._places[name]]))

    def ready(self, name: str) -> bool:
        """Whether `plan` answers at once."""
        return name in self._plans or name not in self._places

    def __getitem__(self, name: str) -> Operation:
        return self.plan(name).operation

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def _compile(self, form: OperationForm) -> Plan:
        operation = described(self._form, form, attaches=self._attaches)
        return Plan(
            operation=operation,
            form=form,
            soap=self._port.soap,
            validator=_validator(operation.input),
            renderer=Renderer(self._form, form.input, self._port.soap),
            decoder=Decoder(self._form, form.output or Message(), self._zone),
            faults={fault.element.tag: (fault, self._fault(Message((fault.element,)))) for fault in form.faults},
            attaches=_attached(form, always=self._attaches),
            recurs=_recurs(self._form, form.output or Message()),
        )

    def _fault(self, message: Message) -> Decoder:
        return Decoder(self._form, message, self._zone)


def _recurs(form: Form, message: Message) -> bool:
    """Whether a type of the message holds values of itself."""
    inner: dict[str, list[str]] = {}
    waiting = [part.type for part in (*message.parts, *message.headers)]
    while waiting:
        key = waiting.pop()
        if key not in inner:
            inner[key] = [] if key.startswith(BUILTIN) else list(reached(form.types, key))
            waiting += inner[key]
    try:
        TopologicalSorter(inner).prepare()
    except CycleError:
        return True
    return False


def described(form: Form, operation: OperationForm, *, attaches: bool = False) -> Operation:
    """An operation with the schemas of its messages; `attaches`: every message may have attachments."""
    input, output = input_schema(form, operation.input), output_schema(form, operation.output)
    if _attached(operation, always=attaches):
        input, output = _attaching(input), _attaching(output)
    return Operation(
        name=operation.name,
        effect=effect_of(operation.name),
        input=input,
        output=output,
        description=operation.documentation,
    )


def _attached(operation: OperationForm, *, always: bool) -> bool:
    return always or any(each is not None and each.attachments for each in (operation.input, operation.output))


def effect_of(name: str) -> Effect:
    """A guess by the verb that an operation's name begins with; SOAP itself doesn't say, a contract's binding does."""
    return Effect.READ if _READS.match(name) else Effect.WRITE


def _validator(schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
    make: Callable[..., jsonschema_rs.Validator] = jsonschema_rs.Draft202012Validator
    return make(dict(schema), validate_formats=True)


def _attaching(schema: JsonSchema) -> JsonSchema:
    """An operation's schema with what travels beside the message."""
    return {**schema, "properties": {**schema.get("properties", {}), ATTACHMENTS: SCHEMA}}


def header_text(text: str) -> str:
    """`text`, fit to stand between quotes in an HTTP header."""
    return "".join(each for each in text if each.isprintable()).replace("\\", "").replace('"', "")
