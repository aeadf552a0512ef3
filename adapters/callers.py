"""A credential map: who calls → what an upstream that speaks no OAuth is shown of it.

An entry is named by a principal's id, by `role:NAME`, or by `*`, which is everyone else; without `*` everyone else is
refused, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator

from adapters.contract import Context
from adapters.errors import NotMapped

T = TypeVar("T")

LONGEST_NAME = 256
"""Characters of a name that is passed on."""
_ROLE = "role:"


def _named(name: str) -> str:
    if name in ("", _ROLE) or len(name) > LONGEST_NAME:
        raise ValueError("name a principal, role:NAME, or '*' for everyone else")
    return name


CallerName = Annotated[str, AfterValidator(_named)]
"""How an entry is named in `gateway.yaml`."""


class Callers(Generic[T]):
    """The map. A principal's own entry goes before a role's, an earlier role's before a later one's, `*` comes last."""

    def __init__(self, entries: Mapping[str, T]) -> None:
        # Kept apart, so that a principal who is called "*" or "role:admin" gets what everyone else gets.
        self._roles = {name.removeprefix(_ROLE): each for name, each in entries.items() if name.startswith(_ROLE)}
        self._principals = {name: each for name, each in entries.items() if name != "*" and not name.startswith(_ROLE)}
        self._others = entries.get("*")

    def of(self, context: Context) -> T:
        """What stands for the caller of `context`; raises `NotMapped`."""
        who = context.principal
        if who:
            if who in self._principals:
                return self._principals[who]
            for role, each in self._roles.items():
                if role in context.roles:
                    return each
            if self._others is not None:
                return self._others
        raise NotMapped("The system behind the route has no credential for this caller.", detail="no entry in callers")


def name_of(context: Context) -> str:
    """The principal, fit to be passed on as text; raises `NotMapped`."""
    if not context.principal:
        raise NotMapped("The system behind the route must be told who calls, and the call names nobody.")
    return plain(context.principal)


def plain(text: str) -> str:
    """`text`, when every system reads the same in it; raises `NotMapped`.

    A control character may cut a name short (NUL) or start a line of its own; systems drop blanks around a name, and
    with them the difference to another caller.
    """
    if len(text) > LONGEST_NAME or not text.isprintable() or text != text.strip():
        raise NotMapped("The caller's name can't be passed on to the system behind the route.")
    return text
