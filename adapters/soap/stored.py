"""The form as bytes, and back: one line an operation and a type, each read only when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, overload

import orjson
from pydantic import TypeAdapter, ValidationError

from adapters.soap.form import Form, OperationForm, PortForm, Type

_TYPE: TypeAdapter[Type] = TypeAdapter(Type)
_OPERATION = TypeAdapter(OperationForm)
_SHOWN = ("service", "name", "soap", "address", "left_out", "names")


def dump(form: Form) -> bytes:
    """`form` as lines of JSON: what it holds, then its operations, then its types."""
    ports = [{name: getattr(port, name) for name in _SHOWN} for port in form.ports]
    lines = [orjson.dumps({"ports": ports, "types": list(form.types)})]
    lines += [orjson.dumps(operation) for port in form.ports for operation in port.operations]
    lines += [orjson.dumps(each) for each in form.types.values()]
    return b"\n".join(lines)


def load(data: bytes) -> Form:
    """The form that `dump` wrote; raises `ValueError` when it isn't one."""
    index, *lines = data.split(b"\n")
    try:
        held: dict[str, Any] = orjson.loads(index)
        rest = iter(lines)
        ports = tuple(
            PortForm(
                **{**port, "names": tuple(port["names"])},
                operations=_Operations(list(islice(rest, len(port["names"])))),
            )
            for port in held["ports"]
        )
        return Form(ports, _Types(dict(zip(held["types"], rest, strict=True))))
    except (KeyError, TypeError) as error:
        raise ValueError("not a stored form") from error


class _Operations(Sequence[OperationForm]):
    """Stored operations; raises `ValueError` for one that isn't an operation."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines

    @overload
    def __getitem__(self, index: int) -> OperationForm: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[OperationForm]: ...
    def __getitem__(self, index: int | slice) -> OperationForm | Sequence[OperationForm]:
        if isinstance(index, slice):
            return _Operations(self._lines[index])
        found: OperationForm = _read(_OPERATION, self._lines[index])
        return found

    def __len__(self) -> int:
        return len(self._lines)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


class _Types(Mapping[str, Type]):
    """Stored types by key; raises `ValueError` for one that isn't a type."""

    def __init__(self, lines: dict[str, bytes]) -> None:
        self._lines = lines
        self._read: dict[str, Type] = {}

    def __getitem__(self, key: str) -> Type:
        found = self._read.get(key)
        if found is None:
            found = self._read[key] = _read(_TYPE, self._lines[key])
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


def _read(adapter: TypeAdapter[Any], line: bytes) -> Any:
    try:
        return adapter.validate_json(line)
    except ValidationError as error:
        raise ValueError("not a stored form") from error
