"""What the house's tests share: the tree that they hold to its rules, and a way to make one that breaks them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest
from beside import beside

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Makes a folder of files from `{relative path: text}`, for a deliberate breach."""

    def make(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return make


@pytest.fixture(scope="session")
def machines() -> ModuleType:
    """tests/house/machines.py."""
    return beside(__file__, "machines")


@pytest.fixture(scope="session")
def bare_debian(machines: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A minimal Debian 12's file system, for the run; not to be changed, but copied."""
    folder = tmp_path_factory.mktemp("debian")
    machines.debootstrap(folder)
    yield folder
    shutil.rmtree(folder)
