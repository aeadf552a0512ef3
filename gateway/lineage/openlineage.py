"""A reply's lineage as an OpenLineage RunEvent.

Spec 2-0-2 (https://openlineage.io/spec/2-0-2/OpenLineage.json) with the facets Schema 1-1-1, ColumnLineage 1-2-0 and
the job facet SourceCode 1-0-1 for the mapping. A run is one call, a job the route, an input what an upstream's
operation answered, the output the reply.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any
from uuid import UUID

SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = "https://openlineage.io/spec/facets/"
_SCHEMA = f"{_FACETS}1-1-1/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet"
_COLUMNS = f"{_FACETS}1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet"
_SOURCE = f"{_FACETS}1-0-1/SourceCodeJobFacet.json#/$defs/SourceCodeJobFacet"
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def run_event(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The event of a call that has ended, from what `answer.told` tells of it."""
    failed = answer["status"] >= 400
    inputs = _inputs(answer)
    return {
        "eventType": "FAIL" if failed else "COMPLETE",
        "eventTime": answer["replied"],
        "producer": _producer(),
        "schemaURL": SPEC,
        "run": {"runId": str(uuid_of(answer["id"]))},
        "job": {"namespace": "figway", "name": answer["operation"] or answer["route"], "facets": _job(answer)},
        "inputs": [_dataset(*each, fields) for each, fields in inputs.items()],
        "outputs": [] if failed else [_output(answer)],
    }


def uuid_of(id: str) -> UUID:
    """The same 128 bits as a ULID, in the other spelling."""
    number = 0
    for character in id:
        number = number * 32 + _ALPHABET.index(character)
    return UUID(int=number % 2**128)


def _producer() -> str:
    return f"urn:figway:{version('figway')}"


def _facet(schema: str, **members: Any) -> dict[str, Any]:
    return {"_producer": _producer(), "_schemaURL": schema, **members}


def _job(answer: Mapping[str, Any]) -> dict[str, Any]:
    texts = [f"# {each['where']}\n{each['expression']}" for each in answer["mappings"] if each["expression"]]
    return {"sourceCode": _facet(_SOURCE, language="JMESPath", sourceCode="\n".join(texts))} if texts else {}


def _inputs(answer: Mapping[str, Any]) -> dict[tuple[str, str], list[str]]:
    """Namespace and name of each dataset, and the fields of it that took part."""
    found: dict[tuple[str, str], dict[str, None]] = {
        (f"figway://{call['upstream']}", call["operation"]): {} for call in answer["calls"]
    }
    for field in answer["fields"]:
        for origin in (*field["from"], *field["when"]):
            found.setdefault(_named(origin), {})[_column(origin)] = None
    return {dataset: list(columns) for dataset, columns in found.items()}


def _named(origin: Mapping[str, Any]) -> tuple[str, str]:
    return f"figway://{origin['upstream']}", origin["operation"]


def _column(origin: Mapping[str, Any]) -> str:
    return str(origin["element"] or origin["pointer"] or "/")


def _dataset(namespace: str, name: str, columns: list[str]) -> dict[str, Any]:
    schema = _facet(_SCHEMA, fields=[{"name": each} for each in columns])
    return {"namespace": namespace, "name": name, "facets": {"schema": schema}}


def _output(answer: Mapping[str, Any]) -> dict[str, Any]:
    fields = {field["pointer"] or "/": {"inputFields": list(_used(field))} for field in answer["fields"]}
    facets = {
        "schema": _facet(_SCHEMA, fields=[{"name": name} for name in fields]),
        "columnLineage": _facet(_COLUMNS, fields=fields),
    }
    return {"namespace": "figway", "name": answer["route"], "facets": facets}


def _used(field: Mapping[str, Any]) -> list[dict[str, Any]]:
    ways = (("from", "DIRECT", "TRANSFORMATION"), ("when", "INDIRECT", "CONDITIONAL"))
    return [
        {
            "namespace": namespace,
            "name": name,
            "field": _column(origin),
            "transformations": [{"type": kind, "subtype": subtype, "description": "", "masking": False}],
        }
        for way, kind, subtype in ways
        for origin in field[way]
        for namespace, name in (_named(origin),)
    ]
