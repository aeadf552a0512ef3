"""What `figway check` says of freshness that can't be had."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

ROUTE = """
  /{name}/{{sku}}:
    {method}:
      operationId: {name}
      tags: [items]
      parameters: [{{name: sku, in: path, required: true, schema: {{type: string}}}}]
      responses: {{"200": {{description: One., content: {{{media}}}}}}}
      x-gateway: {{freshness: {freshness}, {bound}}}
"""
JSON = "application/json: {schema: {type: object}}"
READ = "effect: read, legacy: {upstream: lab, operation: item.get}"
WRITE = "effect: idempotent_write, legacy: {upstream: lab, operation: item.put}"
NAMED = "effect: read, legacy: {upstream: lab, operation: item.get, input: {sku: path.sku, id: call.id}}"
BYTES = "effect: read, legacy: {upstream: lab, operation: item.raw, input: {value: path.sku}, output: name}"
WHOLE = 'effect: read, compose: {steps: {one: {route: good, input: {sku: path.sku}}}, output: "{one: one}"}'
SPLIT = (
    "effect: read, legacy: {upstream: lab, operation: item.get}, "
    "replacement: {upstream: lab, operation: item.get, fields: [name]}"
)
KEPT = "{mode: cached, fresh: 30s}"
CASES = [
    ("timeless", "get", JSON, "{mode: cached}", READ, "cached needs fresh"),
    ("lively", "get", JSON, "{fresh: 30s}", READ, "live answers aren't kept"),
    ("solid", "get", JSON, "{mode: materialized, fresh: 30s}", READ, "capture its table"),
    ("unproven", "get", JSON, "{mode: materialized}", READ, "materialized needs fresh"),
    ("beside", "get", JSON, "{mode: cached, fresh: 30s, behind: refuse}", READ, "behind is of mode materialized"),
    ("endless", "get", JSON, "{mode: cached, fresh: 30d}", READ, "fresh"),
    ("written", "put", JSON, KEPT, WRITE, "a write's answer can't be kept"),
    ("numbered", "get", JSON, KEPT, NAMED, "no two calls ask the same"),
    ("scanned", "get", "application/pdf: {}", KEPT, BYTES, "an answer of application/pdf isn't kept"),
    ("whole", "get", JSON, KEPT, WHOLE, "a composite is as fresh as its parts"),
    ("split", "get", JSON, KEPT, SPLIT, "both sides make together isn't kept"),
]


def test_what_cannot_be_kept_is_told(tmp_path: Path, running: ModuleType) -> None:
    routes = [("good", "get", JSON, "{mode: cached, fresh: 30s, stale_if_error: 1h}", READ, ""), *CASES]
    contract = 'openapi: 3.1.0\ninfo: {title: Items, version: "1"}\npaths:' + "".join(
        ROUTE.format(name=name, method=method, media=media, freshness=freshness, bound=bound)
        for name, method, media, freshness, bound, _ in routes
    )
    files = {"gateway.yaml": "upstreams:\n  lab: {kind: lab}\n", "openapi/items.yaml": contract}
    running.write_workspace(tmp_path, files)
    done = running.figway("check", "--workspace", str(tmp_path))
    assert done.returncode == 1
    told = (done.stdout + done.stderr).split("\n")
    for name, *_, fragment in CASES:
        assert any(f"/{name}/" in line and fragment in line for line in told), (name, fragment, "\n".join(told))
    assert not any("/good/" in line for line in told)
