"""From a WSDL to the form: every operation of every SOAP port compiled, or left out with its reason.

The stored form is looked for first; only without one is zeep imported at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from adapters.contract import Workspace
from adapters.errors import ConfigError, ConfigProblem
from adapters.soap import cache
from adapters.soap.complex_types import Types
from adapters.soap.content import members
from adapters.soap.form import (
    BUILTIN,
    Complex,
    Element,
    FaultForm,
    Form,
    Group,
    Message,
    OperationForm,
    PortForm,
)
from adapters.soap.resolver import Documents
from adapters.soap.xsd import CannotExpress, schemas_of

if TYPE_CHECKING:
    from adapters.soap.loader import LoadedMessage, LoadedOperation, LoadedPort, Part

_XSD = "{http://www.w3.org/2001/XMLSchema}"


def form_of(wsdl: str, workspace: Workspace) -> Form:
    """The form of the WSDL at workspace path `wsdl`, stored or compiled; raises `ConfigError`."""
    stored = cache.read(workspace, wsdl)
    if stored is not None:
        return stored
    documents = Documents(workspace.files, wsdl)
    documents.walk()
    if documents.problems:
        raise ConfigError(documents.problems)
    form = compile_form(documents)
    cache.write(workspace, wsdl, documents.consulted, form)
    return form


def compile_form(documents: Documents) -> Form:
    """The form of the WSDL that `documents` walked; raises `ConfigError`."""
    # Imported here: a start from the stored form must not pay for zeep.
    from adapters.soap.loader import load_ports

    ports = load_ports(documents)
    try:
        compiler = _Compiler(documents)
    except CannotExpress as error:
        raise ConfigError([ConfigProblem(f"the WSDL uses {error}", "/wsdl", documents.path)]) from error
    return Form(tuple(compiler.port(port) for port in ports), compiler.types.types)


class _Compiler:
    def __init__(self, documents: Documents) -> None:
        self.types = Types(schemas_of(documents))

    def port(self, port: LoadedPort) -> PortForm:
        operations: list[OperationForm] = []
        left_out: dict[str, str] = {}
        for operation in port.operations:
            try:
                operations.append(self._operation(operation))
            except CannotExpress as error:
                left_out[operation.name] = str(error)
        return PortForm(port.service, port.name, port.soap, port.address, tuple(operations), left_out)

    def _operation(self, loaded: LoadedOperation) -> OperationForm:
        _supported(loaded)
        form = OperationForm(
            name=loaded.name,
            action=loaded.action,
            input=self._message(loaded, loaded.input, loaded.name),
            output=None if loaded.output is None else self._message(loaded, loaded.output, loaded.name + "Response"),
            faults=tuple(self._faults(loaded)),
            documentation=loaded.documentation,
        )
        for element in (*form.input.parts, *(() if form.output is None else form.output.parts)):
            self._whole(element.type)
        return form

    def _message(self, operation: LoadedOperation, message: LoadedMessage, wrapper: str) -> Message:
        if operation.rpc:
            return self._rpc(message, wrapper)
        parts = tuple(self._part(part) for part in message.parts)
        for part in parts:
            self.types.need(part.type)
        unwrapped = len(parts) == 1 and not parts[0].nillable and self._is_object(parts[0].type)
        return Message(parts, unwrapped)

    def _rpc(self, message: LoadedMessage, wrapper: str) -> Message:
        """An rpc message's wrapper, made as WSDL 1.1, section 3.5 says: a child without namespace for each part."""
        if any(part.type is None for part in message.parts):
            raise CannotExpress("an rpc message whose part names an element")
        children = tuple(Element(part.name, "", _key(part.type)) for part in message.parts)
        for each in children:
            self.types.need(each.type)
        key = f"{{{message.namespace}}}{wrapper}#rpc"
        self.types.types[key] = Complex(wrapper, message.namespace, content=Group("sequence", children))
        return Message((Element(wrapper, message.namespace, key),), unwrapped=True, rpc=True)

    def _part(self, part: Part) -> Element:
        if part.element is None:
            raise CannotExpress("a document message whose part names a type instead of an element")
        return self.types.global_element(part.element)

    def _is_object(self, key: str) -> bool:
        return isinstance(self.types.types.get(key), Complex)

    def _faults(self, loaded: LoadedOperation) -> Iterator[FaultForm]:
        for name, part in loaded.faults:
            try:
                element = self._part(part) if part.type is None else Element(part.name, "", _key(part.type))
                self.types.need(element.type)
                self._whole(element.type)
            except CannotExpress:
                continue  # Such a fault is still a fault: only its detail stays untyped.
            yield FaultForm(name, element)

    def _whole(self, key: str) -> None:
        """Raises `CannotExpress` when a type that `key` reaches has no form."""
        seen: set[str] = set()
        waiting = [key]
        while waiting:
            current = waiting.pop()
            if current in seen or current.startswith(BUILTIN):
                continue
            seen.add(current)
            self.types.need(current)
            if current in self.types.broken:
                raise CannotExpress(self.types.broken[current])
            waiting.extend(reached(self.types.types, current))


def reached(types: Mapping[str, object], key: str) -> Iterator[str]:
    """The keys of the types that the type called `key` names directly."""
    found = types[key]
    if isinstance(found, Complex):
        yield from found.derived
        yield from (attribute.type for attribute in found.attributes)
        if found.text is not None:
            yield found.text
        if found.content is not None:
            yield from _content(found.content)


def _content(group: Group) -> Iterator[str]:
    for member in members(replace(group, key="")):
        if isinstance(member, Element):
            yield member.type
        else:
            yield from _content(member)


def _key(name: str | None) -> str:
    return BUILTIN + (name or "").removeprefix(_XSD) if (name or "").startswith(_XSD) else name or ""


def _supported(loaded: LoadedOperation) -> None:
    for message in (loaded.input, loaded.output):
        if message is None:
            continue
        if message.use == "encoded":
            raise CannotExpress("rpc/encoded messages" if loaded.rpc else "encoded messages")
        if message.multipart:
            raise CannotExpress("a body that isn't plain SOAP (MIME attachments)")
    headers = [part for part in loaded.input.headers if part.lower() not in ("security", "wsse")]
    if headers:
        raise CannotExpress(f"the SOAP header {', '.join(headers)}")
