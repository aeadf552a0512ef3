"""Who may import whom, as import-linter reads it in pyproject.toml; the last rule keeps the demo's estate outside."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

Tree = Callable[[Mapping[str, str]], Path]


def broken_contracts(tree: Path) -> set[str]:
    """The names of the import contracts that the packages in `tree` break."""
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-cache"], cwd=tree, capture_output=True, text=True, check=False)
    broken = set(re.findall(r"^(.+) BROKEN", run.stdout, re.MULTILINE))
    assert (run.returncode != 0) == bool(broken), run.stdout + run.stderr
    return broken


def ours_in_the_outside_world(tree: Path) -> list[str]:
    """Imports of gateway or adapters from within gateway/demo, relative ones included."""
    return [
        f"{path.relative_to(tree)}:{line}: imports {module}"
        for path in sorted((tree / "gateway/demo").rglob("*.py"))
        for line, module in _imports(path, tree)
        if re.match(r"(gateway(?!\.demo\b)|adapters)\b", module)
    ]


def _imports(path: Path, tree: Path) -> Iterator[tuple[int, str]]:
    package = path.relative_to(tree).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            base = ".".join(filter(None, [above, node.module]))
            # "from gateway import demo" names a module of the package, not the package's own contents.
            yield from ((node.lineno, f"{base}.{alias.name}" if base == "gateway" else base) for alias in node.names)


def test_the_house_keeps_its_layers(root: Path) -> None:
    assert broken_contracts(root) == set()


def test_the_estate_imports_nothing_of_ours(root: Path) -> None:
    assert ours_in_the_outside_world(root) == []


def _required() -> list[str]:
    """The rooms of adapters that its layers don't put in parentheses, so that they must exist."""
    contracts = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(each["layers"] for each in contracts if each.get("containers") == ["adapters"])
    rooms = [room.strip() for layer in layers for room in layer.split("|")]
    return [room for room in rooms if not room.startswith("(")]


HOUSE = {
    **dict.fromkeys(
        (f"gateway/{name}.py" for name in ("__init__", "app", "upstream", "call", "telemetry", "dispatch")), ""
    ),
    **dict.fromkeys((f"gateway/{room}/__init__.py" for room in ("identity", "filters", "demo")), ""),
    **dict.fromkeys((f"adapters/{name}.py" for name in ("__init__", *_required())), ""),
    **dict.fromkeys((f"adapters/{kind}/__init__.py" for kind in ("soap", "odbc", "http")), ""),
}


@pytest.mark.parametrize(
    ("module", "line", "rule"),
    [
        ("adapters/registry.py", "import gateway.call", "gateway stands on adapters"),
        ("gateway/call.py", "import gateway.app", "the layers of gateway"),
        ("gateway/filters/quota.py", "import gateway.dispatch", "the layers of gateway"),
        ("gateway/new_room.py", "", "the layers of gateway"),
        ("adapters/soap/__init__.py", "import adapters.odbc", "the kinds of adapter"),
        ("adapters/contract.py", "import adapters.registry", "the kinds of adapter"),
        ("adapters/http/server.py", "import fastapi", "adapters are usable with no web framework"),
        ("adapters/soap/loader.py", "import zeep.xsd", "zeep is the tests' judge"),
        ("gateway/upstream.py", "import pyodbc", "pyodbc is at home"),
        ("gateway/filters/authenticate.py", "from authlib import jose", "authlib is at home"),
        ("gateway/upstream.py", "from opentelemetry.sdk import trace", "opentelemetry is at home"),
    ],
)
def test_a_breach_of_the_layers_is_found(root: Path, tree: Tree, module: str, line: str, rule: str) -> None:
    folder = tree({**HOUSE, module: line})
    shutil.copy(root / "pyproject.toml", folder)
    assert [name for name in broken_contracts(folder) if name.startswith(rule)]


def test_a_house_without_a_breach_passes(root: Path, tree: Tree) -> None:
    allowed = {
        "gateway/app.py": "import gateway.upstream, adapters.contract",
        "gateway/telemetry.py": "from opentelemetry.sdk import trace",
        "gateway/demo/erp.py": "import pyodbc",
        "adapters/odbc/pool.py": "import pyodbc",
    }
    folder = tree({**HOUSE, **allowed})
    shutil.copy(root / "pyproject.toml", folder)
    assert broken_contracts(folder) == set()


@pytest.mark.parametrize(
    "line",
    [
        "import gateway.call",
        "from gateway import settings",
        "from .. import call",
        "from adapters.contract import Kind",
    ],
)
def test_an_estate_that_knows_us_is_found(tree: Tree, line: str) -> None:
    assert ours_in_the_outside_world(tree({"gateway/demo/crm.py": line}))


@pytest.mark.parametrize(
    "line",
    ["import gateway.demo.erp", "from . import erp", "from gateway.demo.erp import DSN", "from gateway import demo"],
)
def test_an_estate_may_know_itself(tree: Tree, line: str) -> None:
    assert ours_in_the_outside_world(tree({"gateway/demo/crm.py": line})) == []
