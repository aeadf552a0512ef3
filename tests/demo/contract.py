"""Answers held against the contract that the gateway itself serves, by a validator that shares nothing with its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx
import jsonschema_rs

import gateway.control_errors  # noqa: F401 - its problems are among them
from gateway.errors import problem_types

PROBLEM, JSON = "application/problem+json", "application/json"
METHODS = ("get", "post", "put", "patch", "delete")
TYPES = {f"urn:figway:problem:{each.slug}": each for each in problem_types()}


class Contract:
    """The document at `/openapi.json`, as one caller sees it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def operations(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """(method, path, operation) of each, as the document has them."""
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield method, path, item[method]

    def errors(self, schema: Mapping[str, Any], value: object) -> list[str]:
        """What is wrong with a value under one of the document's schemas."""
        whole = {**schema, "components": self.document["components"]}
        validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True, formats={"decimal": _is_decimal})
        return [f"{each.instance_path}: {each.message}" for each in validator.iter_errors(value)]

    def check(self, response: httpx.Response) -> None:
        """A client's event hook: fails when the answer isn't one that its operation declares."""
        response.read()
        operation = self._operation(response.request.method.lower(), response.request.url.path)
        if operation is None:
            return
        declared = operation["responses"].get(str(response.status_code)) or operation["responses"]["default"]
        if "$ref" in declared:
            declared = self.document["components"]["responses"][declared["$ref"].rpartition("/")[2]]
        media = response.headers["content-type"]
        assert media in declared["content"], f"{response.status_code} {media} isn't declared"
        assert self.errors(declared["content"][media]["schema"], response.json()) == []
        if response.status_code >= 400:
            check_problem(response)

    def _operation(self, method: str, path: str) -> Mapping[str, Any] | None:
        found: dict[str, Mapping[str, Any]] = {}
        for each, template, operation in self.operations():
            if each == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                found[template] = operation
        # A fixed segment is nearer than a parameter.
        return found[min(found, key=lambda template: template.count("{"))] if found else None


def check_problem(response: httpx.Response) -> None:
    """Fails when a problem isn't one of the closed list, or disagrees with itself."""
    problem = response.json()
    assert response.headers["content-type"] == PROBLEM
    kind = TYPES[problem["type"]]
    assert (problem["status"], problem["title"], problem["retryable"]) == (kind.status, kind.title, kind.retryable)
    assert response.status_code == kind.status


def _is_decimal(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False
