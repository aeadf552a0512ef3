"""An operations' file of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.operations.file import OperationFile
from gateway.operations.record import Intent


@pytest.fixture
def file(tmp_path: Path) -> Iterator[OperationFile]:
    made = OperationFile(tmp_path / "operations.db")
    yield made
    made.close()


@pytest.fixture
def intent() -> Callable[..., Intent]:
    """An intent by its id, with whatever else is given."""

    def make(id: str, **members: object) -> Intent:
        known = {"route": "make_item", "principal": "ann", "agent": None, "tenant": None, "caller": b"ann", **members}
        return Intent(id, **known)  # type: ignore[arg-type]

    return make
