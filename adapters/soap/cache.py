"""The form on disk: one file a WSDL, valid for exactly the documents and the form version that it was made from."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import orjson

from adapters.contract import Workspace
from adapters.soap.form import FORM_VERSION, Form
from adapters.soap.stored import dump, load

_SEPARATOR = b"\n"


def read(workspace: Workspace, wsdl: str) -> Form | None:
    """The stored form of `wsdl`; None when there is none, or a document that it was made from has changed."""
    try:
        data = _file(workspace, wsdl).read_bytes()
        head, _, body = data.partition(_SEPARATOR)
        if not _valid(orjson.loads(head), body, workspace.files):
            return None
        return load(body)
    except (OSError, ValueError):
        return None


def write(workspace: Workspace, wsdl: str, consulted: Mapping[str, str | None], form: Form) -> None:
    """Stores `form`, made from the documents `consulted` (path → SHA-256, None: not there). Failing to is no error."""
    body = dump(form)
    head = orjson.dumps({"version": FORM_VERSION, "documents": dict(consulted), "form": digest(body)})
    target = _file(workspace, wsdl)
    temporary: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(head + _SEPARATOR + body)
        os.replace(temporary, target)
    except OSError:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _valid(head: object, body: bytes, files: Mapping[str, bytes]) -> bool:
    if not isinstance(head, dict) or head.get("version") != FORM_VERSION or head.get("form") != digest(body):
        return False
    documents = head.get("documents")
    return isinstance(documents, dict) and all(digest(files.get(path)) == known for path, known in documents.items())


def digest(data: bytes | None) -> str | None:
    """The SHA-256 of a file; None for one that isn't there."""
    return None if data is None else hashlib.sha256(data).hexdigest()


def _file(workspace: Workspace, wsdl: str) -> Path:
    return workspace.cache / f"form-{hashlib.sha256(wsdl.encode()).hexdigest()[:16]}.json"
