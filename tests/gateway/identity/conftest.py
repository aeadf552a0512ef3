"""A store, a pepper, shared memory and an issuer of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from beside import beside

from gateway.identity.bearer import CallerVerifier
from gateway.identity.fetching import Fetcher
from gateway.identity.signing import Keyring, SigningKey
from gateway.identity.verifier import KeyVerifier
from gateway.routing.identity import Identity
from gateway.store.contract import State
from gateway.store.offload import Offload
from gateway.store.shared import Shared
from gateway.store.sqlite import SqliteState

_issuing = beside(__file__, "issuing")
_certifying = beside(__file__, "certifying")


@pytest.fixture(scope="session")
def issuing() -> ModuleType:
    """issuing.py: key pairs, `token()` and `issuer_server()`."""
    return _issuing


@pytest.fixture(scope="session")
def certifying() -> ModuleType:
    """certifying.py: `certificate()` and `field()`."""
    return _certifying


@pytest.fixture
def issuer() -> Iterator[Any]:
    """An issuer on a real socket (`issuing.IssuerServer`)."""
    with _issuing.issuer_server() as server:
        yield server


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


Accepting = Callable[..., CallerVerifier]


@pytest.fixture
async def accepting(verifier: KeyVerifier, issuer: Any) -> AsyncIterator[Accepting]:
    """Makes a verifier that accepts the test's issuer, with options of its entry in `identity.issuers`."""
    made: list[CallerVerifier] = []

    def make(*, fetcher: Fetcher | None = None, **options: Any) -> CallerVerifier:
        entry = {"issuer": issuer.url, "audience": _issuing.AUDIENCE, **options}
        callers = CallerVerifier(verifier, fetcher or Fetcher())
        callers.follow(Identity.model_validate({"issuers": [entry]}))
        made.append(callers)
        return callers

    yield make
    for callers in made:
        await callers.close()
