"""The lab's module, and a gateway with composites of every sort."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_LAB = Path(__file__).with_name("lab.py")


@pytest.fixture(scope="session")
def lab() -> ModuleType:
    """`lab.py`."""
    spec = importlib.util.spec_from_file_location("compose_lab", _LAB)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, running: ModuleType, lab: ModuleType, request: pytest.FixtureRequest
) -> Iterator[tuple[Any, Path]]:
    """A gateway that serves the composites of the asking file's `COMPOSITES`, and its journal."""
    folder = tmp_path_factory.mktemp("composites")
    journal = lab.workspace(folder, running, *lab.ROUTES, *request.module.composites(lab))
    with running.serving(folder) as gateway:
        yield gateway, journal
