"""What `append` will write: a file's name and its bytes, judged as they will be read back."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping

from adapters.contract import Json
from adapters.errors import Conflict, FieldError, Invalid, pointer
from adapters.files.dataset import Description
from adapters.files.formats import Record, at
from adapters.files.generation import Generation
from adapters.files.owner import kept, refusal, signed

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def prepared(
    description: Description, generation: Generation, input: Mapping[str, Json], owner: str | None
) -> tuple[str, bytes]:
    """What `encoded` gives; raises `Conflict`, too."""
    name, data = encoded(description, input, owner)
    if generation.find(at(decoded(description, data), description.config.key)) is not None:
        raise Conflict("a record of that key exists already")
    return name, data


def encoded(description: Description, input: Mapping[str, Json], owner: str | None) -> tuple[str, bytes]:
    """The file's name and its bytes; `owner` fills the owner field. Raises `Invalid` and `NotMapped`."""
    assert description.template is not None
    if owner is not None:
        input = signed(input, description.config.owner, owner)
    data, faults = description.format.encode(input)
    if description.config.format == "copybook":
        faults = [*faults, *controls(input, "")]
    if faults:
        raise refusal(description, faults)
    name = description.template.name(input)
    value = decoded(description, data)
    if owner is not None:
        kept(value, description.config.owner, owner)
    return name, data


def controls(value: Json, where: str) -> Iterator[FieldError]:
    """The texts with control characters: programs that read a record by lines, or print it, would take them for more
    than text. A quoted text of CSV may have them."""
    if isinstance(value, str) and _CONTROL.search(value):
        yield FieldError(where, "must hold no control character")
    elif isinstance(value, Mapping | list):
        for name, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from controls(inner, where + pointer(str(name)))


def decoded(description: Description, data: bytes) -> dict[str, Json]:
    """The record as it will be read back from its file."""
    file = io.BytesIO(data)
    for found in description.format.reader(file, len(data)).scan(file):
        if isinstance(found, Record):
            return found.value
    raise Invalid(f"the record couldn't be read back as one of {description.name}")
