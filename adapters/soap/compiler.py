"""From a WSDL to the form: every operation of every SOAP port compiled, or left out with its reason.

The stored form is looked for first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from adapters.contract import Workspace
from adapters.errors import ConfigError, ConfigProblem
from adapters.soap import cache
from adapters.soap.bundle import located, opened
from adapters.soap.complex_types import Types
from adapters.soap.content import arranged, elements, spelt_apart
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
from adapters.soap.loader import load_ports
from adapters.soap.reached import reached
from adapters.soap.resolver import XSD, Documents
from adapters.soap.xsd import CannotExpress, plain_type, schemas_of

if TYPE_CHECKING:
    from adapters.soap.loader import LoadedMessage, LoadedOperation, LoadedPort, Part

_CHAIN = 100
"""Types within each other: what describes, reads and writes values calls itself for each, some eight calls deep."""


def form_of(wsdl: str, workspace: Workspace) -> Form:
    """The form of the WSDL at workspace path `wsdl`, or of that in the folder or zip archive there, stored or compiled;
    raises `ConfigError`."""
    wsdl = located(workspace.files, wsdl)
    stored = cache.read(workspace, wsdl)
    if stored is not None:
        return stored
    files, path = opened(workspace.files, wsdl)
    documents = Documents(files, path)
    documents.walk()
    if documents.problems:
        raise ConfigError(documents.problems)
    form = compile_form(documents)
    archive = {wsdl: cache.digest(workspace.files.get(wsdl))}
    cache.write(workspace, wsdl, documents.consulted if files is workspace.files else archive, form)
    return form


def compile_form(documents: Documents) -> Form:
    """The form of the WSDL that `documents` walked; raises `ConfigError`."""
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
                left_out[operation.name] = str(error.at(operation.place))
        names = tuple(each.name for each in operations)
        return PortForm(port.service, port.name, port.soap, port.address, tuple(operations), left_out, names)

    def _operation(self, loaded: LoadedOperation) -> OperationForm:
        if loaded.problem:
            raise CannotExpress(loaded.problem)
        form = OperationForm(
            name=loaded.name,
            action=loaded.action,
            input=self._message(loaded, loaded.input, loaded.wire),
            output=None if loaded.output is None else self._message(loaded, loaded.output, loaded.wire + "Response"),
            faults=tuple(self._faults(loaded)),
            documentation=loaded.documentation,
            addressed=loaded.addressed,
        )
        for message in (form.input, form.output or Message()):
            for element in (*message.parts, *message.headers):
                self._whole(element.type)
        return form

    def _message(self, operation: LoadedOperation, message: LoadedMessage, wrapper: str) -> Message:
        parts = _spelt(self._part(part) for part in message.parts)
        headers = _spelt(replace(self._part(each.part), least=int(each.required)) for each in message.headers)
        for part in (*parts, *headers):
            self.types.need(part.type)
        if operation.rpc:
            found = self._rpc(message, wrapper, parts)
        else:
            unwrapped = len(parts) == 1 and not parts[0].nillable and self._is_object(parts[0].type)
            # A family's object has no place for headers beside its own properties.
            found = Message(parts, unwrapped and not (headers and self._has_family(parts[0].type)))
        encoded = message.use == "encoded"
        return replace(found, encoded=encoded, headers=headers, attachments=message.attachments)

    def _rpc(self, message: LoadedMessage, wrapper: str, parts: tuple[Element, ...]) -> Message:
        """An rpc message's wrapper, made as WSDL 1.1, section 3.5 says: a child without namespace for each part."""
        key = f"{{{message.namespace}}}{wrapper}#rpc"
        while key in self.types.types and self.types.types[key] != _wrapper(message, wrapper, parts):
            key += "~"
        self.types.types[key] = _wrapper(message, wrapper, parts)
        return Message((Element(wrapper, message.namespace, key),), unwrapped=True, rpc=True)

    def _part(self, part: Part) -> Element:
        if part.element is not None:
            return self.types.global_element(_key(part.element))
        # The body holds an element of the part's name: what WSDL 1.1 leaves open, toolkits do.
        return Element(part.name, "", _key(part.type))

    def _has_family(self, key: str) -> bool:
        found = self.types.types.get(key)
        return isinstance(found, Complex) and bool(found.derived)

    def _is_object(self, key: str) -> bool:
        return isinstance(self.types.types.get(key), Complex)

    def _faults(self, loaded: LoadedOperation) -> Iterator[FaultForm]:
        for name, part in loaded.faults:
            try:
                element = self._part(part)
                self.types.need(element.type)
                self._whole(element.type)
            except CannotExpress:
                continue  # Such a fault is still a fault: only its detail stays untyped.
            yield FaultForm(name, element)

    def _whole(self, key: str) -> None:
        """Raises `CannotExpress` when a type that `key` reaches has no form."""
        seen: set[str] = set()
        chain: list[Iterator[str]] = [iter((key,))]
        while chain:
            current = next(chain[-1], None)
            if current is None:
                chain.pop()
                continue
            if current in seen or current.startswith(BUILTIN):
                continue
            if len(chain) > _CHAIN:
                raise CannotExpress(f"types in a chain of more than {_CHAIN}, each within the one before")
            seen.add(current)
            self.types.need(current)
            if current in self.types.broken:
                raise self.types.broken[current].at("")
            chain.append(reached(self.types.types, current))


def _key(name: str | None) -> str:
    """The key of the type or element called "{namespace}name"."""
    name = name or ""
    return BUILTIN + name.removeprefix(XSD) if name.startswith(XSD) else plain_type(name)


def _spelt(parts: Iterable[Element]) -> tuple[Element, ...]:
    """Elements side by side, those that share a name spelt with their namespaces."""
    return tuple(elements(spelt_apart(Group("sequence", tuple(parts)))))


def _wrapper(message: LoadedMessage, name: str, parts: tuple[Element, ...]) -> Complex:
    content, _ = arranged(Group("sequence", parts), name)
    return Complex(name, message.namespace, content=content)
