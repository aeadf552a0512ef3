"""Header blocks that a configuration gives every message: `{namespace}name` → text, or the elements within."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, SecretStr, StringConstraints, WithJsonSchema

from adapters.secret import Reference, kept
from adapters.soap.values import escape, escape_attribute

BlockName = Annotated[str, StringConstraints(pattern=r"^\{[!#-%'-;=?-z|~]{1,300}\}[A-Za-z_][A-Za-z0-9_.-]{0,100}$")]
"""A config field that names a header block, as `{namespace}name`."""
_MEMBER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,100}")
_DEEPEST = 8

Content: TypeAlias = "str | SecretStr | Mapping[str, Content]"
"""Text, a secret where it was a reference; or the elements within by name, in the block's namespace."""


def _content(value: Any, depth: int = 0) -> Content:
    if isinstance(value, Reference):
        return kept(value)
    if isinstance(value, str | SecretStr):
        return value
    if isinstance(value, dict) and depth < _DEEPEST:
        for name in value:
            if not isinstance(name, str) or _MEMBER.fullmatch(name) is None:
                raise ValueError(f"'{name}' isn't an element's name without namespace")
        return {name: _content(each, depth + 1) for name, each in value.items()}
    raise ValueError("a header block holds text or elements by name; write numbers and truths as text")


BlockContent = Annotated[Any, BeforeValidator(_content), WithJsonSchema({"type": ["string", "object"]})]
"""A config field that says what is in a header block: a `Content`."""


def block(name: str, content: Content) -> str:
    """The block called `{namespace}name`, as XML text; raises `BadValue`."""
    namespace, _, local = name[1:].rpartition("}")
    inner = "".join(_written(content))
    return f'<h:{local} xmlns:h="{escape_attribute(namespace)}">{inner}</h:{local}>'


def unset(content: Content) -> bool:
    """Whether it refers to something that isn't set."""
    if isinstance(content, Mapping):
        return any(map(unset, content.values()))
    return isinstance(content, SecretStr) and not content.get_secret_value()


def _written(content: Content) -> Iterator[str]:
    if not isinstance(content, Mapping):
        yield escape(content if isinstance(content, str) else content.get_secret_value())
        return
    for name, each in content.items():
        yield f"<h:{name}>{''.join(_written(each))}</h:{name}>"
