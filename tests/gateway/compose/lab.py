"""A workspace of composites over the lab's upstream, and a gateway that serves it."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

_GIVEN = ("sku", "n", "seconds", "after", "error", "refuse", "once")
_PARAMETERS = ", ".join(f"{name}: {{}}" for name in _GIVEN)
_INPUT = ", ".join(f"{name}: body.{name}" for name in _GIVEN)
_BODY = f"""requestBody:
        required: true
        content: {{application/json: {{schema: {{type: object, properties: {{{_PARAMETERS}}}}}}}}}"""
_ANYTHING = """requestBody:
        required: true
        content: {application/json: {schema: {type: object, additionalProperties: true}}}"""
_ANSWER = 'responses: {"200": {description: Done., content: {application/json: {schema: {}}}}}'


def write(path: str, name: str, effect: str = "write", upstream: str = "lab", deadline: str = "10s") -> str:
    """A route that leaves a line in the journal."""
    return f"""
  {path}:
    post:
      operationId: {name}
      tags: [items]
      {_BODY}
      {_ANSWER}
      x-gateway:
        effect: {effect}
        deadline: {deadline}
        legacy: {{upstream: {upstream}, operation: item.put, input: {{{_INPUT}}}}}
"""


READ = f"""
  /look:
    get:
      operationId: look
      tags: [items]
      parameters:
        - {{name: sku, in: query, schema: {{type: string}}}}
        - {{name: seconds, in: query, schema: {{type: number}}}}
        - {{name: error, in: query, schema: {{type: string}}}}
      {_ANSWER}
      x-gateway:
        effect: read
        legacy:
          upstream: lab
          operation: item.note
          input: {{sku: query.sku, seconds: query.seconds, error: query.error}}
"""


def composite(path: str, name: str, steps: str, output: str = "@", effect: str = "write", deadline: str = "10s") -> str:
    """A composite that is asked by POST with a body of anything; `steps` is YAML, a line each."""
    indented = "\n".join(f"            {line}" for line in steps.strip("\n").splitlines())
    return f"""
  {path}:
    post:
      operationId: {name}
      tags: [items]
      {_ANYTHING}
      {_ANSWER}
      x-gateway:
        effect: {effect}
        deadline: {deadline}
        compose:
          steps:
{indented}
          output: "{output}"
"""


def contract(*paths: str) -> str:
    """A document of these paths."""
    return 'openapi: 3.1.0\ninfo: {title: Lab, version: "1"}\npaths:' + "".join(paths)


def workspace(folder: Path, running: ModuleType, *paths: str, policy: str = "") -> Path:
    """Writes the workspace; returns its journal."""
    journal = folder / "journal.txt"
    upstreams = f"""
upstreams:
  lab: {{kind: lab, journal: {journal}, concurrency: 500, queue: 1000, deadline: 30s}}
  teller: {{kind: lab, journal: {journal}, tells: true, concurrency: 64, deadline: 30s}}
"""
    files = {
        "gateway.yaml": upstreams,
        "openapi/lab.yaml": contract(*paths),
        "policies/access.cedar": running.POLICY + policy,
    }
    running.write_workspace(folder, files)
    return journal


def effects(journal: Path) -> list[dict[str, Any]]:
    """What the upstreams did, in order."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    return [json.loads(line) for line in lines if line.startswith("{")]


ROUTES = (
    READ,
    write("/make", "make"),
    write("/unmake", "unmake"),
    write("/set", "set_it", effect="idempotent_write"),
    write("/unset", "unset_it", effect="idempotent_write"),
    write("/tell", "tell", upstream="teller", deadline="300ms"),
    write("/untell", "untell", upstream="teller", deadline="300ms"),
)
