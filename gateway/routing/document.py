"""The contracts as one OpenAPI 3.1 document for callers: merged, `x-gateway` stripped, and cut to what one may use."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gateway.routing.contracts import METHODS
from gateway.routing.own_answers import PROBLEM_TYPE, SECURITY, SERVERS, OwnAnswers, written
from gateway.routing.refs import local
from gateway.routing.report import Document, Report

_ANY_PROBLEM = {
    "description": "A problem: see its `type` and `fix`.",
    "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def merged(documents: list[Document], report: Report) -> dict[str, Any]:
    """One document of all contracts. Components of the same name must be the same."""
    whole: dict[str, Any] = {"openapi": "3.1.0", "info": _info(documents), "servers": SERVERS, "tags": [], "paths": {}}
    components: dict[str, dict[str, Any]] = {"schemas": {}}
    origin: dict[tuple[str, str], Document] = {}
    for document in documents:
        _merge_components(document, components, origin, report)
        _merge_paths(document, whole["paths"])
        tags = document.data.get("tags", [])
        known = [tag["name"] for tag in whole["tags"]]
        whole["tags"] += [
            tag for tag in _listed(tags) if isinstance(tag, dict) and tag.get("name") not in [None, *known]
        ]
    components["securitySchemes"] = dict(SECURITY)
    answers = OwnAnswers(components)
    for item in whole["paths"].values():
        for operation in item.values():
            operation["responses"] = answers.added(operation["responses"])
    return {**whole, "components": components, "security": [{"credential": []}]}


def _info(documents: list[Document]) -> Mapping[str, Any]:
    infos: list[Mapping[str, Any]] = [
        document.data["info"] for document in documents if isinstance(document.data.get("info"), dict)
    ]
    if len(infos) == 1:
        return infos[0]
    about = {key: value for info in reversed(infos) for key, value in info.items() if key in ("contact", "license")}
    titles = ", ".join(str(info.get("title", "")) for info in infos)
    return {"title": "figway", "version": "1", "description": f"Of several contracts: {titles}.", **about}


def _merge_components(
    document: Document,
    components: dict[str, dict[str, Any]],
    origin: dict[tuple[str, str], Document],
    report: Report,
) -> None:
    own = document.data.get("components")
    for section, entries in own.items() if isinstance(own, dict) else ():
        for name, value in entries.items() if isinstance(entries, dict) else ():
            kept = components.setdefault(section, {}).setdefault(name, local(value))
            first = origin.setdefault((section, name), document)
            if kept != local(value):
                sentence = f"'{name}' is another thing in {first.file}: give one of them another name"
                report.add(document, ("components", section, name), sentence)


def _merge_paths(document: Document, paths: dict[str, Any]) -> None:
    own = document.data.get("paths")
    for path, item in own.items() if isinstance(own, dict) else ():
        if not isinstance(item, dict):
            continue
        kept = paths.setdefault(path, {})
        shared = _listed(item.get("parameters"))
        for method in METHODS:
            if isinstance(item.get(method), dict):
                kept[method] = _public(item[method], shared)


def _public(operation: Mapping[str, Any], shared: list[Any]) -> dict[str, Any]:
    # Parameters of the path item move into its operations, so that two files may describe one path.
    public = {key: value for key, value in operation.items() if key not in ("x-gateway", "security")}
    parameters = [*shared, *_listed(operation.get("parameters"))]
    if parameters:
        public["parameters"] = parameters
    responses = operation.get("responses")
    public["responses"] = {
        code: _told(code, each) for code, each in (responses if isinstance(responses, dict) else {}).items()
    }
    public["responses"].setdefault("default", _ANY_PROBLEM)
    bound = operation.get("x-gateway")
    if isinstance(bound, dict) and bound.get("effect") not in (None, "read"):
        public["responses"] = written(public["responses"], "approval" in bound)
    made: dict[str, Any] = local(public)
    return made


def _listed(value: Any) -> list[Any]:
    # What should be a list and isn't has been told by then.
    return value if isinstance(value, list) else []


def _told(code: str, response: Any) -> Any:
    """A failure whose body the contract leaves open is a problem document."""
    if (
        (code == "default" or code[:1] in "45")
        and isinstance(response, dict)
        and not {"content", "$ref"} & set(response)
    ):
        return {**response, "content": _ANY_PROBLEM["content"]}
    return response


def visible(document: Mapping[str, Any], operation_ids: Collection[str]) -> dict[str, Any]:
    """`document` with only those operations, and only the components and tags that they use."""
    paths: dict[str, Any] = {}
    for path, item in document["paths"].items():
        kept = {method: each for method, each in item.items() if each.get("operationId") in operation_ids}
        if kept:
            paths[path] = kept
    used = reached(paths, document["components"])
    components: dict[str, Any] = {"securitySchemes": document["components"]["securitySchemes"]}
    for section, name in sorted(used):
        components.setdefault(section, {})[name] = document["components"][section][name]
    tags = {tag for item in paths.values() for each in item.values() for tag in each.get("tags", ())}
    kept_tags = [tag for tag in document["tags"] if tag["name"] in tags]
    return {**document, "paths": paths, "components": components, "tags": kept_tags}


def reached(paths: Mapping[str, Any], components: Mapping[str, Any]) -> set[tuple[str, str]]:
    """The components, as section and name, that paths refer to, from near or far."""
    used: set[tuple[str, str]] = set()
    waiting: list[Any] = [paths]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, Mapping):
            waiting += value.values()
            section, name = _component(value.get("$ref"))
            if name in components.get(section, {}) and (section, name) not in used:
                used.add((section, name))
                waiting.append(components[section][name])
    return used


def _component(reference: object) -> tuple[str, str]:
    parts = reference.split("/") if isinstance(reference, str) else []
    if len(parts) < 4 or parts[:2] != ["#", "components"]:
        return "", ""
    return parts[2], parts[3].replace("~1", "/").replace("~0", "~")
