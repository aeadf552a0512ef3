"""A store, a pepper and shared memory of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.identity.signing import SigningKey, load_or_create
from gateway.identity.verifier import KeyVerifier
from gateway.store.contract import State
from gateway.store.offload import Offload
from gateway.store.shared import Shared
from gateway.store.sqlite import SqliteState


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with closing(SqliteState(tmp_path / "state.db")) as state:
        yield state


@pytest.fixture
def pepper(tmp_path: Path) -> SigningKey:
    return load_or_create(tmp_path / "keys", "pepper")


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Shared]:
    with closing(Shared.open(tmp_path / "shared")) as shared:
        yield shared


@pytest.fixture
def offload() -> Iterator[Offload]:
    with closing(Offload()) as offload:
        yield offload


@pytest.fixture
def verifier(state: State, pepper: SigningKey, shared: Shared, offload: Offload) -> KeyVerifier:
    return KeyVerifier(state, pepper, shared, offload)
