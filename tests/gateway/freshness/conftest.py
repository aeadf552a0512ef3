"""What the tests of this room share."""

from __future__ import annotations

from types import ModuleType

import pytest
from beside import beside


@pytest.fixture(scope="session")
def imagined() -> ModuleType:
    """tests/gateway/freshness/imagined.py."""
    return beside(__file__, "imagined")


@pytest.fixture(scope="session")
def histories() -> ModuleType:
    """tests/gateway/freshness/histories.py."""
    return beside(__file__, "histories")
