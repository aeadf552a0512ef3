"""Which upstreams are shown who calls, so that nobody is given what was answered to somebody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters import registry
from adapters.capabilities import SupportsSharing
from adapters.contract import Workspace
from adapters.secret import Reference

SECRET = Reference("s3cret", "env:SECRET")
HTTP: dict[str, Any] = {"base_url": "http://127.0.0.1:1"}
ODBC: dict[str, Any] = {"dsn": "Driver=PostgreSQL Unicode;Server=127.0.0.1", "dialect": "postgresql"}
OAUTH = {"token_url": "https://id.example/token", "client_id": "figway", "client_secret": SECRET}


@pytest.mark.parametrize(
    ("kind", "options", "personal"),
    [
        ("http", {}, False),
        ("http", {"auth": {"bearer": SECRET}}, False),
        ("http", {"auth": {"oauth": OAUTH}}, False),
        ("http", {"auth": {"oauth": {**OAUTH, "exchange": True}}}, True),
        ("http", {"callers": {"*": {"bearer": SECRET}}}, True),
        ("http", {"caller": {"header": "X-User"}}, True),
        ("odbc", {}, False),
        ("odbc", {"callers": {"*": {"role": "clerk"}}}, True),
        ("odbc", {"variables": {"principal": "app.user"}}, True),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_an_upstream_that_is_shown_its_caller_says_so(
    tmp_path: Path, kind: str, options: dict[str, Any], personal: bool
) -> None:
    found = registry.kind(kind)
    config = found.config.model_validate({**(HTTP if kind == "http" else ODBC), **options})
    adapter = found.build("up", config, Workspace({}, tmp_path))
    assert isinstance(adapter, SupportsSharing)
    assert adapter.reads_caller("any.get") is personal


def test_only_reads_of_files_are_the_same_for_all(tmp_path: Path) -> None:
    found = registry.kind("files")
    dataset = {"match": "s.csv", "format": "csv", "key": "sku", "options": {"columns": {"sku": "text"}}}
    config = found.config.model_validate({"root": str(tmp_path), "datasets": {"stock": dataset}})
    adapter = found.build("up", config, Workspace({}, tmp_path))
    assert isinstance(adapter, SupportsSharing)
    verbs = ("get", "list", "aggregate", "generations", "claim", "claimed", "append")
    assert [adapter.reads_caller(f"stock.{verb}") for verb in verbs] == [False] * 4 + [True] * 3
