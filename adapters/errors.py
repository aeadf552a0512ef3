"""What can go wrong in an adapter, grouped by what the caller may do.

    AdapterError
    ├── Retry              nothing happened; the same call may work later (busy, deadlock, throttled)
    ├── DoNotRetry         the same call will fail again
    │   ├── NotFound       the entity isn't there
    │   ├── Invalid        the input breaks the upstream's rules; `errors` says where
    │   ├── Conflict       the entity's state forbids it (duplicate key, version moved on)
    │   ├── Refused        the upstream refused the gateway's own credentials or rights
    │   ├── NotMapped      the upstream is called in the caller's name, and has none for this one; nothing was sent
    │   ├── NotTried       there is no dry run of it that is sure to change nothing; nothing was changed
    │   └── BadReply       the upstream answered what can't be understood; for a write the outcome is unknown
    ├── Unavailable        couldn't be reached; nothing was sent
    └── UnknownOutcome     sent, no answer (deadline, reset): a write may have happened
        └── Unacknowledged a dry run of which the upstream didn't say that it is one
    ConfigError            the configuration or a file that it names is wrong (before any call)

Messages are shown to callers: they never hold SQL, a path, a host, a secret or a stack trace. What helps the
operator goes into `detail`, which is logged and never sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class AdapterError(Exception):
    """Base of all that `invoke` raises. `message` may be shown to a caller, `detail` only to an operator."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class Retry(AdapterError):
    """Nothing happened; the same call may work after `retry_after` seconds."""

    def __init__(self, message: str, *, detail: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, detail=detail)
        self.retry_after = retry_after


class DoNotRetry(AdapterError):
    """The same call will fail again."""


class NotFound(DoNotRetry):
    """The entity isn't there."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong in the input: `pointer` is a JSON Pointer (RFC 6901) into it."""

    pointer: str
    message: str


def parts_of(pointer: str) -> list[str]:
    """The parts of a JSON Pointer (RFC 6901 §4)."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def pointer(*path: str | int) -> str:
    """The JSON Pointer (RFC 6901) of a member's names and positions."""
    return "".join("/" + str(each).replace("~", "~0").replace("/", "~1") for each in path)


class Invalid(DoNotRetry):
    """The input breaks the upstream's rules."""

    def __init__(self, message: str, *, detail: str = "", errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message, detail=detail)
        self.errors = tuple(errors)


class Conflict(DoNotRetry):
    """The entity's state forbids the change."""


class Moved(Conflict):
    """The entity isn't as the call expects it to be: somebody else has changed it."""


class Refused(DoNotRetry):
    """The upstream refused the gateway's own credentials or rights."""


class NotMapped(DoNotRetry):
    """The upstream is called in the caller's name, and there is none for this caller; nothing was sent."""


class NotTried(DoNotRetry):
    """There is no dry run of it that is sure to change nothing; nothing was changed."""


class BadReply(DoNotRetry):
    """The upstream answered what can't be understood."""


class Unavailable(AdapterError):
    """The upstream couldn't be reached; nothing was sent."""


class UnknownOutcome(AdapterError):
    """The call was sent and no answer came: a write may have happened."""


class Unacknowledged(UnknownOutcome):
    """A dry run of which the upstream didn't say that it is one. `answered`: it said that it did the write; else it
    gave no answer, so that a write may have happened where it doesn't know dry runs."""

    def __init__(self, message: str, *, detail: str = "", answered: bool) -> None:
        super().__init__(message, detail=detail)
        self.answered = answered


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing wrong: `where` is a JSON Pointer into the upstream's configuration, or "" ; `file` and `line`
    (1-based) name a workspace file when the fault lies in one that the configuration names."""

    message: str
    where: str = ""
    file: str | None = None
    line: int | None = None


class ConfigError(Exception):
    """The configuration, or a file that it names, is wrong; holds every problem found, not only the first."""

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)
