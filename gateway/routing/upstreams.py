"""The upstreams of `gateway.yaml`: each one's configuration validated by its kind, and its adapter built."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from adapters import registry
from adapters.contract import Adapter, Kind, Workspace
from adapters.errors import ConfigError, ConfigProblem
from gateway.routing.capture_checks import check_captures
from gateway.routing.invalid import Where, validated
from gateway.routing.model import Finding, UpstreamSpec
from gateway.routing.report import Document, Place, Report, place_of
from gateway.routing.schema import Upstream
from gateway.store.contract import files_hash

_COMMON = frozenset(Upstream.model_fields)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What building an upstream needs besides its own configuration."""

    document: Document
    files: Mapping[str, bytes]
    cache: Path
    unset: frozenset[Place]
    existing: Mapping[str, Adapter]


@dataclass(slots=True)
class Upstreams:
    """The upstreams that could be built; `broken` names the others, whose bindings can't be checked."""

    specs: dict[str, UpstreamSpec] = field(default_factory=dict)
    adapters: dict[str, Adapter] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)


def build_upstreams(models: Mapping[str, Any], around: Surroundings, report: Report) -> Upstreams:
    """Every upstream in `models` (name → resolved mapping); `existing` adapters are kept where nothing changed."""
    built = Upstreams()
    for name, data in models.items():
        found = _build(name, data, frozenset(models), around, report)
        if found is None:
            built.broken.add(name)
        else:
            built.specs[name], built.adapters[name] = found
    return built


def _build(
    name: str, data: Any, names: frozenset[str], around: Surroundings, report: Report
) -> tuple[UpstreamSpec, Adapter] | None:
    place: Place = ("upstreams", name)
    kind = _kind(data, place, around, report)
    if kind is None:
        return None
    own = {key: value for key, value in data.items() if key not in _COMMON}
    if "concurrency" in kind.config.model_fields and "concurrency" in data:
        own["concurrency"] = data["concurrency"]
    where = Where(around.document, place, around.unset, _COMMON)
    config = validated(kind.config, own, where, report)
    common = validated(Upstream, {key: value for key, value in data.items() if key in _COMMON}, where, report)
    if config is None or common is None:
        return None
    files = _visible(name, names, own, around.files)
    spec = UpstreamSpec(
        name,
        kind.name,
        config,
        _digest(name, kind, own, files, common),
        common.deadline,
        common.concurrency,
        common.queue,
        common.changes,
    )
    adapter = around.existing.get(spec.digest) or _adapter(kind, spec, files, place, around, report)
    if adapter is None:
        return None
    check_captures(common.changes, adapter, place, around.document, report)
    return spec, adapter


def _kind(data: Any, place: Place, around: Surroundings, report: Report) -> Kind | None:
    named = data.get("kind") if isinstance(data, Mapping) else None
    if not isinstance(named, str):
        return None  # told with the whole of gateway.yaml
    try:
        return registry.kind(str(named))
    except registry.UnknownKind as error:
        report.add(around.document, (*place, "kind"), str(error))
        return None


def _adapter(
    kind: Kind, spec: UpstreamSpec, files: Mapping[str, bytes], place: Place, around: Surroundings, report: Report
) -> Adapter | None:
    try:
        return kind.build(spec.name, spec.config, Workspace(files, around.cache / spec.name))
    except ConfigError as error:
        for problem in error.problems:
            _note(problem, place, around.document, report)
        return None


def _note(problem: ConfigProblem, place: Place, document: Document, report: Report) -> None:
    at = (*place, *place_of(problem.where))
    if problem.file is None:
        report.add(document, at, problem.message)
    else:
        report.note(Finding(problem.file, problem.line or 1, ".".join(at), problem.message))


def _visible(
    name: str, names: frozenset[str], own: Mapping[str, Any], files: Mapping[str, bytes]
) -> Mapping[str, bytes]:
    """What the upstream may read: all under `openapi/*/`, but no other upstream's own folder unless it is named."""
    named = "\n".join(_strings(own))
    others = tuple(f"openapi/sources/{other}/" for other in names - {name})
    hidden = tuple(folder for folder in others if folder not in named)
    return {
        path: content
        for path, content in files.items()
        if path.startswith("openapi/") and path.count("/") > 1 and not path.startswith(hidden)
    }


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield key
            yield from _strings(member)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, SecretStr):
        yield value.get_secret_value()
    else:
        yield f"{type(value).__name__}:{value!s}"


def _digest(name: str, kind: Kind, own: Mapping[str, Any], files: Mapping[str, bytes], common: Upstream) -> str:
    # Resolved secrets are part of it: it identifies an adapter within this process and isn't to be shown.
    digest = hashlib.sha256()
    limits = (str(each) for each in (common.deadline, common.concurrency, common.queue))
    for part in (name, kind.name, *limits, *_strings(own)):
        digest.update(len(part.encode()).to_bytes(8, "big") + part.encode())
    digest.update(files_hash(files).encode())
    return digest.hexdigest()
