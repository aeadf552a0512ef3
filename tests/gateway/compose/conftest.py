"""The lab's module, and a gateway with composites of every sort."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from beside import beside


@pytest.fixture(scope="session")
def lab() -> ModuleType:
    """`lab.py`."""
    return beside(__file__, "lab")


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, running: ModuleType, lab: ModuleType, request: pytest.FixtureRequest
) -> Iterator[tuple[Any, Path]]:
    """A gateway that serves the composites of the asking file's `COMPOSITES`, and its journal."""
    folder = tmp_path_factory.mktemp("composites")
    journal = lab.workspace(folder, running, *lab.ROUTES, *request.module.composites(lab))
    with running.serving(folder) as gateway:
        yield gateway, journal
