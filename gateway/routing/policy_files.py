"""The policy files beside the Cedar policies: each has its name, its model, and is checked as part of the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from gateway.routing.audit_schema import Audit
from gateway.routing.content_schema import Content
from gateway.routing.invalid import Where, validated
from gateway.routing.limits_schema import Limits
from gateway.routing.migration_schema import Migration
from gateway.routing.report import Report
from gateway.routing.source import parse
from gateway.routing.toolsets_schema import Toolsets

POLICY_FILES: Mapping[str, type[BaseModel]] = {
    "audit.yaml": Audit,
    "content.yaml": Content,
    "limits.yaml": Limits,
    "migration.yaml": Migration,
    "toolsets.yaml": Toolsets,
}
"""File name below `policies/` → its model. A file that isn't there counts as an empty one."""


def read_policy_files(files: Mapping[str, bytes], report: Report) -> dict[str, BaseModel]:
    """The model of each policy file by the file's name; what is wrong with one goes into the report."""
    return {name: _read(f"policies/{name}", model, files, report) for name, model in POLICY_FILES.items()}


def _read(path: str, model: type[BaseModel], files: Mapping[str, bytes], report: Report) -> BaseModel:
    document = parse(path, files[path], report) if path in files else None
    if document is None:
        return model()
    return validated(model, document.data, Where(document, ()), report) or model()


def policy_file_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a policy file."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **POLICY_FILES[name].model_json_schema(), "title": f"policies/{name}"}
