"""A workspace's files become what a snapshot serves: checked as a whole, compiled once.

`figway check`, `serve` and a reload all go through `compile_workspace`, so what one refuses they all refuse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from adapters.contract import Adapter
from gateway.routing.audit_schema import check_audit
from gateway.routing.content_schema import check_content_policy
from gateway.routing.contracts import contract_files, exposed, read_contracts
from gateway.routing.document import merged
from gateway.routing.folder import read_workspace
from gateway.routing.groups import Group, Stage
from gateway.routing.invalid import Where, validated
from gateway.routing.limits_schema import check_limits
from gateway.routing.lint import lint
from gateway.routing.migration_schema import Migration, check_migration, check_stages, compile_groups
from gateway.routing.model import Compiled, Defaults, Finding, InvalidWorkspace, Route
from gateway.routing.policies import Policed, read_policies
from gateway.routing.policy_files import read_policy_files
from gateway.routing.references import References
from gateway.routing.report import Document, Report
from gateway.routing.routes import Bound, compile_routes
from gateway.routing.schema import Gateway
from gateway.routing.source import parse
from gateway.routing.splits import check_splits
from gateway.routing.toolsets_schema import check_toolsets
from gateway.routing.upstreams import Surroundings, Upstreams, build_upstreams
from gateway.store.contract import files_hash

__all__ = ["Loaded", "at_stages", "compile_workspace", "read_workspace"]

_NONE: Mapping[str, Adapter] = MappingProxyType({})
_NO_STAGES: Mapping[str, Stage] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Loaded:
    """A workspace that can be served. `findings` are warnings only."""

    compiled: Compiled
    adapters: Mapping[str, Adapter]
    """By upstream's name; none is open yet, unless it came from `existing`."""
    findings: tuple[Finding, ...]


def compile_workspace(
    files: Mapping[str, bytes],
    *,
    cache: Path,
    environment: Mapping[str, str],
    strict_secrets: bool,
    existing: Mapping[str, Adapter] = _NONE,
    stages: Mapping[str, Stage] = _NO_STAGES,
    judge_stages: bool = True,
) -> Loaded:
    """Compiles what `read_workspace` read; raises `InvalidWorkspace` with every finding, warnings among them.

    `cache` is a folder for what adapters derive from files. An unset reference is an error only when
    `strict_secrets`. `existing` maps an `UpstreamSpec.digest` to its adapter: it is taken over where nothing it
    depends on has changed. `stages` are the snapshot's own, by group; whoever is about to change them has them judged
    later, by `at_stages`. Blocks, up to seconds for a large WSDL: call it on a thread.
    """
    source = _gateway(files, report := Report())
    data = (references := References(source, environment, strict_secrets, report)).resolve(source.data)
    model = _model(data, source, references, report)
    around = Surroundings(source, files, cache, frozenset(references.missing), existing)
    upstreams = build_upstreams(_mapping(data.get("upstreams")), around, report)
    references.note_literals()
    documents = read_contracts(files, report)
    operations = exposed(documents, report)
    bound = compile_routes(operations, {each.file: each for each in documents}, upstreams, report)
    lint(bound, upstreams, report, model.defaults.deadline)
    routes = tuple(each.route for each in bound)
    whole = len(documents) == len(contract_files(files))
    policed = Policed.of([each.operation_id for each in operations], routes) if whole else None
    rules, policy_files = read_policies(files, policed, report), _policy_files(files, routes, upstreams, report)
    groups = _groups(files, policy_files["migration.yaml"], bound, upstreams, stages, report if whole else Report())
    check_stages(files, groups if whole and judge_stages else {}, report)
    document = merged(documents, report)
    if report.errors():
        raise InvalidWorkspace(report.sorted())
    compiled = Compiled(
        hash=files_hash(files),
        files=MappingProxyType(dict(files)),
        routes=routes,
        upstreams=MappingProxyType(upstreams.specs),
        defaults=_defaults(model),
        rules=rules,
        document=document,
        identity=model.identity,
        policy_files=MappingProxyType(policy_files),
        settings=_settings(model),
        groups=MappingProxyType(groups),
    )
    return Loaded(compiled, MappingProxyType(upstreams.adapters), report.sorted())


def _settings(model: Gateway) -> Mapping[str, Any]:
    return MappingProxyType({"stores": model.stores.model_dump(), "notify": model.notify, "events": model.events})


def at_stages(loaded: Loaded, stages: Mapping[str, Stage], *, judge: bool = True) -> Loaded:
    """The same workspace with its groups at `stages`, at what migration.yaml says where they are silent; raises
    `InvalidWorkspace` where a stage isn't a legal one, if that is to be judged."""
    compiled, report = loaded.compiled, Report()
    groups = {name: replace(group, stage=stages.get(name, group.declared)) for name, group in compiled.groups.items()}
    if judge:
        check_stages(compiled.files, groups, report)
    if report.errors():
        raise InvalidWorkspace(report.sorted())
    return replace(loaded, compiled=replace(compiled, groups=MappingProxyType(groups)))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _policy_files(
    files: Mapping[str, bytes], routes: Sequence[Route], upstreams: Upstreams, report: Report
) -> dict[str, BaseModel]:
    policy_files = read_policy_files(files, report)
    check_audit(files, policy_files["audit.yaml"], routes, report)
    check_limits(files, policy_files["limits.yaml"], routes, upstreams.specs, report)
    check_content_policy(files, policy_files["content.yaml"], routes, report)
    check_toolsets(files, policy_files["toolsets.yaml"], routes, report)
    return policy_files


def _groups(
    files: Mapping[str, bytes],
    migration: BaseModel,
    bound: Sequence[Bound],
    upstreams: Upstreams,
    stages: Mapping[str, Stage],
    report: Report,
) -> dict[str, Group]:
    assert isinstance(migration, Migration)
    groups = compile_groups(migration, [each.route for each in bound], stages)
    check_splits(bound, groups, report)
    check_migration(files, migration, groups, upstreams.specs, datetime.now(UTC).date(), report)
    return groups


def _gateway(files: Mapping[str, bytes], report: Report) -> Document:
    empty = Document("gateway.yaml", {}, {})
    if "gateway.yaml" not in files:
        report.add(empty, (), "gateway.yaml is missing: 'figway init' makes one")
        return empty
    return parse("gateway.yaml", files["gateway.yaml"], report) or empty


def _model(data: Any, source: Document, references: References, report: Report) -> Gateway:
    return validated(Gateway, data, Where(source, (), frozenset(references.missing)), report) or Gateway()


def _defaults(model: Gateway) -> Defaults:
    return Defaults(**model.defaults.model_dump())
