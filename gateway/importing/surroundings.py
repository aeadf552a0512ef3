"""What else stands in a workspace: names that are taken, and the text of the files that an import changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gateway.importing.contract import Around
from gateway.importing.model import CantImport
from gateway.routing.contracts import METHODS, contract_files
from gateway.routing.model import Defaults
from gateway.routing.report import Report
from gateway.routing.source import parse


def value_of(name: str, content: bytes) -> Mapping[str, Any]:
    """The value of a YAML file; raises `CantImport` where it can't be read."""
    report = Report()
    document = parse(name, content, report)
    if document is None or report.errors():
        found = report.sorted()
        said = f"{found[0]}" if found else name
        raise CantImport(f"{said}: 'figway check' lists what is wrong; mend that first")
    return document.data


class Others:
    """The contracts beside an upstream's own."""

    def __init__(self, files: Mapping[str, bytes], own: Collection[str]) -> None:
        self.documents = {name: value_of(name, files[name]) for name in contract_files(files) if name not in own}

    def ids(self) -> set[str]:
        """Their operationIds."""
        return {str(operation.get("operationId")) for _, _, operation in self._operations()}

    def routes(self) -> set[tuple[str, str]]:
        """Their methods and paths."""
        return {(method, path) for method, path, _ in self._operations()}

    def around(self, defaults: Defaults) -> Around:
        """Their components, and the workspace's sizes of pages."""
        sections: dict[str, dict[str, Any]] = {}
        for document in self.documents.values():
            for section, entries in (document.get("components") or {}).items():
                sections.setdefault(section, {}).update(entries if isinstance(entries, dict) else {})
        return Around(sections, defaults.page, defaults.max_page)

    def _operations(self) -> list[tuple[str, str, Mapping[str, Any]]]:
        return [
            (method, path, item[method])
            for document in self.documents.values()
            for path, item in (document.get("paths") or {}).items()
            if isinstance(item, dict)
            for method in METHODS
            if isinstance(item.get(method), dict)
        ]


def defaults_of(files: Mapping[str, bytes]) -> Defaults:
    """The sizes of pages that gateway.yaml names."""
    found = value_of("gateway.yaml", files["gateway.yaml"]).get("defaults")
    sizes = found if isinstance(found, dict) else {}
    known = {name: sizes[name] for name in ("page", "max_page") if isinstance(sizes.get(name), int)}
    return Defaults(**known)
