"""The shape of the tree: what the top level holds, which folders are packages, what an adapter kind consists of."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

Tree = Callable[[Mapping[str, str]], Path]

FOLDERS = {"gateway", "adapters", "openapi", "policies", "docker", "tests"}
FILES = {
    "README.md",
    "pyproject.toml",
    "gateway.yaml",
    "Makefile",
    "GLOSSARY.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
}
TESTS = {"adapters", "gateway", "demo", "house", "bench", "npm", "plugin"}
NO_PACKAGES = ("docker", "openapi", "policies", "tests")
OUTSIDE = "tests/adapters/third_party"
"""Packages of others, as their authors keep them."""
KIND = {"__init__.py", "adapter.py", "config.py", "README.md"}

# The distribution that an import name comes from, where the two differ or one is a part of the other.
DISTRIBUTIONS = {
    "jsonschema_rs": "jsonschema-rs",
    "nats": "nats-py",
    "opentelemetry": "opentelemetry-sdk",
    "pydantic_core": "pydantic",
    "pymysqlreplication": "mysql-replication",
    "smbclient": "smbprotocol",
    "spnego": "pyspnego",
    "starlette": "fastapi",
    "yaml": "pyyaml",
}
# The parts of a statement that hold statements.
_BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")


def misplaced(tree: Path) -> list[str]:
    """Entries of the top level, and folders of tests/, that have no place in the house."""
    top = [path.name for path in tree.iterdir() if not path.name.startswith(".")]
    tests = [path.name for path in (tree / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"]
    return sorted(set(top) - FOLDERS - FILES) + sorted(f"tests/{name}" for name in set(tests) - TESTS)


def packages_that_are_none(tree: Path) -> list[str]:
    """`__init__.py` in folders that nobody imports."""
    found = (path for folder in NO_PACKAGES for path in (tree / folder).rglob("__init__.py"))
    names = (path.relative_to(tree).as_posix() for path in found)
    return sorted(name for name in names if not name.startswith(OUTSIDE))


def incomplete_kinds(tree: Path) -> list[str]:
    """What an adapter kind lacks of the files that each has; kinds are the entry points in pyproject.toml."""
    points = _project(tree)["entry-points"]["figway.adapters"].values()
    folders = [point.partition(":")[0].replace(".", "/") for point in points]
    return sorted(f"{folder}/{name}" for folder in folders for name in KIND if not (tree / folder / name).is_file())


def undeclared_imports(tree: Path) -> list[str]:
    """Imports of packages that pyproject.toml doesn't name as dependencies, or as those of an extra for users."""
    project = _project(tree)
    extras = {name: needed for name, needed in project.get("optional-dependencies", {}).items() if name != "test"}
    needed = [*project["dependencies"], *(each for extra in extras.values() for each in extra)]
    declared = {re.match(r"[\w.-]+", each)[0].lower() for each in needed}  # type: ignore[index]
    known = declared | set(sys.stdlib_module_names) | {"gateway", "adapters"}
    return sorted(
        f"{path.relative_to(tree)}: {name}"
        for folder in ("gateway", "adapters")
        for path in (tree / folder).rglob("*.py")
        for name in _imported(path)
        if DISTRIBUTIONS.get(name, name) not in known
    )


def _imported(path: Path) -> Iterator[str]:
    found: list[ast.AST] = [ast.parse(path.read_text())]
    for node in found:
        # Imports are statements: not to look into expressions saves most of the time.
        found += (each for name in _BLOCKS for each in getattr(node, name, ()))
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _project(tree: Path) -> dict[str, Any]:
    return tomllib.loads((tree / "pyproject.toml").read_text())["project"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("rule", [misplaced, packages_that_are_none, incomplete_kinds, undeclared_imports])
def test_the_house_has_its_shape(root: Path, rule: Callable[[Path], list[str]]) -> None:
    assert rule(root) == []


PROJECT = (
    '[project]\ndependencies = ["pyyaml>=6"]\n[project.entry-points."figway.adapters"]\nldap = "adapters.ldap:KIND"\n'
)


@pytest.mark.parametrize(
    ("rule", "file", "text", "found"),
    [
        (misplaced, "notes.txt", "", ["notes.txt"]),
        (misplaced, "tests/unit/test_a.py", "", ["tests/unit"]),
        (packages_that_are_none, "tests/house/__init__.py", "", ["tests/house/__init__.py"]),
        (
            incomplete_kinds,
            "adapters/ldap/adapter.py",
            "",
            [f"adapters/ldap/{name}" for name in sorted(KIND - {"adapter.py"})],
        ),
        (undeclared_imports, "gateway/a.py", "import json, requests\nimport yaml", ["gateway/a.py: requests"]),
    ],
)
def test_a_breach_of_the_shape_is_found(
    tree: Tree, rule: Callable[[Path], list[str]], file: str, text: str, found: list[str]
) -> None:
    assert rule(tree({"pyproject.toml": PROJECT, "tests/conftest.py": "", file: text})) == found
