"""What the tests of this room share."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def load(name: str) -> ModuleType:
    """A plain module beside this file."""
    spec = importlib.util.spec_from_file_location(f"figway_freshness_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def imagined() -> ModuleType:
    """tests/gateway/freshness/imagined.py."""
    return load("imagined")


@pytest.fixture(scope="session")
def histories() -> ModuleType:
    """tests/gateway/freshness/histories.py."""
    return load("histories")
