"""A store, a pepper and shared memory of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.identity.signing import Keyring, SigningKey
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
def peppers(tmp_path: Path) -> Keyring:
    return Keyring.open(tmp_path / "keys", "pepper")


@pytest.fixture
def pepper(peppers: Keyring) -> SigningKey:
    return peppers.current


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Shared]:
    with closing(Shared.open(tmp_path / "shared")) as shared:
        yield shared


@pytest.fixture
def offload() -> Iterator[Offload]:
    with closing(Offload()) as offload:
        yield offload


@pytest.fixture
def verifier(state: State, peppers: Keyring, shared: Shared, offload: Offload) -> KeyVerifier:
    return KeyVerifier(state, peppers, shared, offload)
