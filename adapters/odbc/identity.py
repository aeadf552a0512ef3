"""Who calls, told to the database for as long as one job runs: a role, session variables, or both.

Set before the job and taken back after it, whatever became of it; a connection on which that failed is dropped. Names
of roles and variables come from the configuration alone, what callers are called is bound and never part of a text.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from adapters.callers import Callers, name_of, plain
from adapters.contract import Context
from adapters.errors import ConfigProblem
from adapters.odbc.config import Caller, Config, Fact
from adapters.odbc.dialects import DIALECTS, Dialect
from adapters.odbc.failures import DatabaseError, Failure
from adapters.odbc.session import Session

Job: TypeAlias = Callable[[Session], Any]

# What the database says of a role or a variable is the operator's to mend, never the caller's.
_OURS = (Failure.INVALID, Failure.REJECTED, Failure.ABSENT, Failure.CONFLICT)


@dataclass(frozen=True, slots=True)
class Who:
    """One caller as the database will see it: a role, or None, and the variables' values in their order."""

    role: str | None
    values: tuple[str | None, ...]


class Identity:
    """What an upstream's configuration says of callers."""

    def __init__(self, callers: Mapping[str, Caller] | None, variables: Mapping[Fact, str]) -> None:
        self._callers = None if callers is None else Callers(callers)
        self._facts = tuple(variables)
        self._names = tuple(variables.values())

    def of(self, context: Context) -> Who:
        """The caller of `context`; raises `NotMapped`."""
        role = None if self._callers is None else self._callers.of(context).role
        return Who(role, tuple(_fact(fact, context) for fact in self._facts))

    def around(self, job: Job, who: Who) -> Job:
        """`job` in the name of a caller; raises `DatabaseError` before it where the database won't have that."""

        def run(session: Session) -> Any:
            try:
                self.enter(session, who)
                return job(session)
            finally:
                self._leave(session, who)

        return run

    def enter(self, session: Session, who: Who) -> None:
        """Tells the database who calls; raises `DatabaseError`."""
        dialect = session.dialect
        begin, term = dialect.take_variables
        try:
            if who.role is not None:
                session.execute(dialect.take_role.format(role=f"{dialect.quote}{who.role}{dialect.quote}"))
            if who.values:
                values = [dialect.absent if value is None else value for value in who.values]
                session.execute(begin + ", ".join(term.format(name=name) for name in self._names), values)
        except DatabaseError as error:
            if error.failure in _OURS:
                raise DatabaseError(Failure.REFUSED, error.detail) from error
            raise

    def _leave(self, session: Session, who: Who) -> None:
        """The session as it was; until that is certain it counts as broken, so that nobody else gets it."""
        broken, session.broken = session.broken, True
        dialect = session.dialect
        begin, term, between = dialect.drop_variables
        with contextlib.suppress(DatabaseError):
            if who.role is not None:
                session.execute(dialect.drop_role)
            if who.values:
                session.execute(begin + between.join(term.format(name=name) for name in self._names))
            session.broken = broken


def identity_of(config: Config) -> Identity | None:
    """What `config` says of callers; None: the database sees the gateway alone."""
    if config.callers is None and not config.variables:
        return None
    return Identity(config.callers, config.variables or {})


def faults(config: Config, dialect: Dialect) -> Iterator[ConfigProblem]:
    """What the database can't be told."""
    able = " and ".join(name for name, each in DIALECTS.items() if each.take_role)
    for key, wanted in (("callers", config.callers), ("variables", config.variables)):
        if wanted and not dialect.take_role:
            yield ConfigProblem(f"{dialect.name} can't be told who calls; {able} can", f"/{key}")


def _fact(fact: Fact, context: Context) -> str | None:
    if fact == "principal":
        return name_of(context)
    text = context.agent if fact == "agent" else context.tenant
    return None if text is None else plain(text)
