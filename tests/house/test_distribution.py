"""The wheel: it holds both packages whole, the demo's workspace, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Tree = Callable[[Mapping[str, str]], Path]

WORKSPACE = ("gateway.yaml", "openapi", "policies")
INSIDE = "gateway/demo/workspace"


def misses(root: Path, names: set[str]) -> list[str]:
    """The files of both packages and of the demo's workspace that a wheel with these `names` lacks."""
    packages = {name: name for package in ("gateway", "adapters") for name in _files(root, package)}
    workspace = {f"{INSIDE}/{name}": name for place in WORKSPACE for name in _files(root, place)}
    return sorted(name for target, name in (packages | workspace).items() if target not in names)


def strangers(names: set[str]) -> list[str]:
    """What a wheel holds beside the two packages and its own description."""
    return sorted(name for name in names if not name.startswith(("gateway/", "adapters/", "figway-")))


def _files(root: Path, place: str) -> list[str]:
    top = root / place
    found = [top] if top.is_file() else [path for path in top.rglob("*") if path.is_file()]
    return [path.relative_to(root).as_posix() for path in found if "__pycache__" not in path.parts]


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in the wheel that is built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=root, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("figway-*.whl"))) as archive:
        return set(archive.namelist())


def test_the_wheel_is_whole_and_holds_nothing_else(root: Path, wheel: set[str]) -> None:
    assert misses(root, wheel) == []
    assert strangers(wheel) == []
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel)


def test_a_wheel_that_lacks_a_file_or_holds_another_is_found(tree: Tree) -> None:
    folder = tree({"gateway/demo/crm.php": "", "gateway.yaml": "", "openapi/shop.yaml": "", "adapters/py.typed": ""})
    assert misses(folder, {"adapters/py.typed", f"{INSIDE}/gateway.yaml"}) == [
        "gateway/demo/crm.php",
        "openapi/shop.yaml",
    ]
    assert strangers({"gateway/app.py", "tests/conftest.py", "figway-1.dist-info/RECORD"}) == ["tests/conftest.py"]
