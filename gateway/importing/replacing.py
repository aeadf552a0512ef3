"""`figway import openapi`: a modern API behind routes that exist, as the replacement of what serves them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from gateway.importing.drift import Change, drift
from gateway.importing.ledger import Ledger, folder, generated_path, ledger_path, read_ledger, written_ledger
from gateway.importing.matching import Match, NoMatch, match, unused
from gateway.importing.merge import merge
from gateway.importing.model import CantImport, LeftOut, Request
from gateway.importing.openapi import Api, Modern, read_api
from gateway.importing.surroundings import value_of
from gateway.routing.contracts import METHODS, contract_files
from gateway.routing.load import compile_workspace
from gateway.routing.model import Finding, InvalidWorkspace, Route

_ROUNDS = 5


@dataclass
class Replacing:
    """What an import would do. `files` holds what changes."""

    upstream: str
    files: dict[str, bytes | None] = field(default_factory=dict)
    before: Mapping[str, bytes] = field(default_factory=dict)
    matches: list[Match] = field(default_factory=list)
    unmatched: dict[str, str] = field(default_factory=dict)
    """OperationId → why nothing takes it over."""
    unused: list[Modern] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    drift: list[Change] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    base_url: str = ""


def replacing(files: Mapping[str, bytes], asked: Ledger, request: Request) -> Replacing:
    """What binding the API at `request.source` would change. Raises `CantImport`; writes nothing."""
    api = read_api(request)
    ledger = read_ledger(files, request.upstream)
    routes = _routes(files, request.cache)
    refused: dict[str, str] = {}
    for _ in range(_ROUNDS):
        made = _drawn(files, asked, request, api, ledger, routes, refused)
        more = _refused(made, request.cache)
        if not more:
            return made
        refused |= more
    raise CantImport("what would be written isn't sound, however much is left out; nothing was changed")


def changed(files: Mapping[str, bytes], request: Request) -> list[Change]:
    """What the API's document says otherwise than when it was imported. Raises `CantImport`."""
    base = files.get(generated_path(request.upstream))
    if base is None:
        raise CantImport(f"{generated_path(request.upstream)} is missing: restore it, or import once more")
    return drift(orjson.loads(base), read_api(request).root)


def _routes(files: Mapping[str, bytes], cache: Path) -> tuple[Route, ...]:
    try:
        loaded = compile_workspace(_served(files), cache=cache, environment=os.environ, strict_secrets=False)
    except InvalidWorkspace as error:
        raise CantImport(f"{error.findings[0]}: 'figway check' lists what is wrong; mend that first") from error
    return loaded.compiled.routes


def _drawn(
    files: Mapping[str, bytes],
    asked: Ledger,
    request: Request,
    api: Api,
    ledger: Ledger | None,
    routes: tuple[Route, ...],
    refused: Mapping[str, str],
) -> Replacing:
    made = Replacing(request.upstream, before=files, base_url=api.base_url, left_out=list(api.left_out))
    for route in routes:
        if not request.chosen(route.operation_id) or route.compose is not None:
            continue
        if route.replacement is not None and route.replacement.upstream != request.upstream:
            made.unmatched[route.operation_id] = f"{route.replacement.upstream} replaces it already"
            continue
        try:
            if route.operation_id in refused:
                raise NoMatch(refused[route.operation_id])
            made.matches.append(match(route, api, request.upstream))
        except NoMatch as reason:
            made.unmatched[route.operation_id] = str(reason)
    made.unused = unused(api, made.matches)
    base = files.get(generated_path(request.upstream))
    made.drift = [] if base is None else drift(orjson.loads(base), api.root)
    written = _written(files, asked, request, api, ledger, made)
    made.files = {name: data for name, data in written.items() if files.get(name) != data}
    return made


def _written(
    files: Mapping[str, bytes],
    asked: Ledger,
    request: Request,
    api: Api,
    ledger: Ledger | None,
    made: Replacing,
) -> dict[str, bytes | None]:
    upstream = request.upstream
    bindings = {each.route.operation_id: each.binding for each in made.matches}
    before: Mapping[str, Any] = {} if ledger is None else ledger.config.get("bindings", {})
    config = {"kind": "http", "base_url": api.base_url}
    written: dict[str, bytes | None] = {
        name: _bound(files[name], name, bindings, before, made.kept) for name in contract_files(files)
    }
    mine = value_of("gateway.yaml", files["gateway.yaml"])
    old = {} if ledger is None else {"upstreams": {upstream: ledger.config.get("upstream", {})}}
    merged = merge(files["gateway.yaml"].decode("utf-8-sig"), mine, old, {"upstreams": {upstream: config}})
    made.kept += [f"gateway.yaml: {each}" for each in merged.kept]
    remembered = replace(asked, config={"upstream": config, "bindings": bindings})
    written["gateway.yaml"] = merged.text.encode()
    written[folder(upstream) + "openapi" + _extension(api)] = api.content
    written[generated_path(upstream)] = orjson.dumps(api.root)
    written[ledger_path(upstream)] = written_ledger(remembered)
    return written


def _bound(content: bytes, name: str, bindings: Mapping[str, Any], before: Mapping[str, Any], kept: list[str]) -> bytes:
    """A contract with the bindings of its routes: those made last time give way, what people wrote stays."""
    mine = value_of(name, content)
    base, new = (_with_bindings(mine, each) for each in (before, bindings))
    # What people removed or wrote themselves differs from the base as well, and is kept.
    merged = merge(content.decode("utf-8-sig"), mine, base, new)
    kept += [f"{name}: {each}" for each in merged.kept]
    return merged.text.encode() if merged.text.encode() != content and base != new else content


def _with_bindings(document: Mapping[str, Any], bindings: Mapping[str, Any]) -> dict[str, Any]:
    """The contract as it would be with those replacements."""
    paths = {}
    for path, item in (document.get("paths") or {}).items():
        paths[path] = dict(item)
        for method in METHODS:
            operation = item.get(method)
            if not isinstance(operation, dict) or operation.get("operationId") not in bindings:
                continue
            extension = {**operation.get("x-gateway", {}), "replacement": bindings[operation["operationId"]]}
            paths[path][method] = {**operation, "x-gateway": extension}
    return {**document, "paths": paths}


def _refused(made: Replacing, cache: Path) -> dict[str, str]:
    """The routes whose replacement `figway check` would refuse, with its reason."""
    after = {**made.before, **{name: data for name, data in made.files.items() if data is not None}}
    findings = _findings(after, cache)
    found: dict[str, str] = {}
    for each in made.matches:
        where, key = each.route.where.rpartition(":")[0], f"paths.{each.route.path}.{each.route.method.lower()}"
        said = next((one for one in findings if one.file == where and one.key.startswith(key + ".")), None)
        group = next((one for one in findings if f"groups.{each.route.group}" in one.key), None)
        if said is not None or group is not None:
            found[each.route.operation_id] = (said or group).message  # type: ignore[union-attr]
    if findings and not found:
        raise CantImport(f"what would be written isn't sound: {findings[0]}; nothing was changed")
    return found


def _findings(files: Mapping[str, bytes], cache: Path) -> list[Finding]:
    try:
        compile_workspace(_served(files), cache=cache, environment=os.environ, strict_secrets=False)
    except InvalidWorkspace as error:
        return [each for each in error.findings if each.level == "error"]
    return []


def _served(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name.startswith(("gateway.yaml", "openapi/", "policies/"))}


def _extension(api: Api) -> str:
    return ".json" if api.content.lstrip().startswith(b"{") else ".yaml"
