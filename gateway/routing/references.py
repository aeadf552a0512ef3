"""References in `gateway.yaml`: `env:NAME` and `file:/path` are replaced by what they name when a workspace is loaded.

An unset one is a warning in `figway check`, which runs on machines that hold no secrets, and an error in `serve`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from adapters.secret import Reference
from gateway.routing.report import Document, Place, Report

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_FILE = 65_536
_SECRET = re.compile(
    r"(?i)(?:pwd|password|passwd|secret|token|api[-_]?key)\s*=\s*[^;&\s]+"
    r"|[?&](?:sig|signature|key|code|auth|[\w.-]*[-_]key)=[^&\s]+"
    r"|://[^/\s:@]*:[^/\s@]+@"
)


def looks_secret(text: str) -> bool:
    """Whether a text seems to hold a password or a token."""
    return _SECRET.search(text) is not None


class References:
    """Resolves the references of one document against an environment and this machine's files."""

    def __init__(self, document: Document, environment: Mapping[str, str], strict: bool, report: Report) -> None:
        self._document, self._environment, self._report = document, environment, report
        self._strict = strict
        self.missing: set[Place] = set()
        """The places whose reference is unset."""
        self._literals: set[Place] = set()

    def resolve(self, value: Any, place: Place = ()) -> Any:
        """`value` with each reference replaced by a `Reference`."""
        if isinstance(value, dict):
            return {key: self.resolve(member, (*place, key)) for key, member in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, (*place, str(position))) for position, item in enumerate(value)]
        return self._text(value, place) if isinstance(value, str) else value

    def note_literals(self) -> None:
        """Notes texts that look like holding a secret, unless something was said about them already."""
        for place in sorted(self._literals):
            if not self._report.mentions(self._document, place):
                sentence = "a secret must not stand here: keep the whole value elsewhere and refer to it by env:NAME"
                self._report.add(self._document, place, sentence)

    def _text(self, text: str, place: Place) -> str:
        scheme, colon, rest = text.partition(":")
        if colon and scheme == "env":
            return self._env(text, rest, place)
        if colon and scheme == "file":
            return self._file(text, rest, place)
        if colon and scheme == "vault":
            return self._wrong(text, place, "vault references aren't supported yet: use env: or file:")
        if looks_secret(text):
            self._literals.add(place)
        return text

    def _env(self, text: str, name: str, place: Place) -> Reference:
        if not _NAME.fullmatch(name):
            return self._wrong(text, place, "a reference to the environment is env:NAME, such as env:ERP_DSN")
        if name not in self._environment:
            return self._unset(text, place, f"the environment variable {name} isn't set: set it before serving")
        return Reference(self._environment[name], text)

    def _file(self, text: str, path: str, place: Place) -> Reference:
        if not path.startswith("/"):
            return self._wrong(text, place, "a reference to a file is file:/path, with an absolute path")
        try:
            with Path(path).open("rb") as stream:
                content = stream.read(_MAX_FILE + 1)
            if len(content) > _MAX_FILE:
                return self._unset(text, place, f"the file {path} is larger than {_MAX_FILE} bytes")
            return Reference(content.decode().rstrip("\r\n"), text)
        except (OSError, UnicodeDecodeError):
            return self._unset(text, place, f"the file {path} can't be read as UTF-8 text: put the value there")

    def _unset(self, text: str, place: Place, sentence: str) -> Reference:
        return self._wrong(text, place, sentence, "error" if self._strict else "warning")

    def _wrong(self, text: str, place: Place, sentence: str, level: Literal["error", "warning"] = "error") -> Reference:
        self.missing.add(place)
        self._report.add(self._document, place, sentence, level)
        return Reference("", text, missing=True)
