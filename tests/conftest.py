"""Fixtures that all tests share: real servers, started when first asked for and ended with the run."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import httpx._transports.default as httpx_transports
import pytest
from beside import beside
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# A shell makes what it runs in the background ignore SIGINT, and children inherit that: what tests start must hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Hundreds of processes are started from the same files: they needn't each compile them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A client reads the machine's certificate authorities, which takes 25 ms, also for plain http: once is enough.
httpx_transports.create_ssl_context = functools.cache(httpx_transports.create_ssl_context)


_APART = ("tests/demo/test_engines.py", "tests/demo/test_lifecycle.py", "tests/demo/test_tour.py")
"""What starts demos of its own."""
_TOGETHER = ("tests/demo/test_", "tests/gateway/attacks/")


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Side by side go files, whose tests share fixtures; some folders stay together, as what they start is dear."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        together = (each for each in _TOGETHER if file.startswith(each) and file not in _APART)
        return next(together, file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """How `-n` shares the tests among its processes."""
    return _ByFile(config, log)


_MOST_EXAMPLES = 60
"""Of each property, in the quick lane."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Properties are tried with fewer examples, unless full figures are asked for."""
    if os.environ.get("FIGWAY_SLOW"):
        return
    for test in (getattr(item, "obj", None) for item in items):
        # Where Hypothesis keeps what `@settings` says: a profile changes only what that leaves open.
        said = getattr(test, "_hypothesis_internal_use_settings", None)
        if said is not None and said.max_examples > _MOST_EXAMPLES:
            test._hypothesis_internal_use_settings = settings(said, max_examples=_MOST_EXAMPLES)


_fuses = beside(__file__, "fuses")
_linters = beside(__file__, "linters")
_servers = beside(__file__, "servers")
_running = beside(__file__, "running")


@pytest.fixture(autouse=True, scope="module")
def own_secrets() -> Iterator[None]:
    """A process hides every secret that it was configured with: a password of one file's tests, such as "secret", would
    be taken out of another's answers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("adapters.secret._known", {})
        yield


@pytest.fixture(scope="session")
def servers() -> ModuleType:
    """tests/servers.py: `postgres_server()`, `mariadb_server()`, `driver()`, `sqlite_dsn()`, `free_port()`."""
    return _servers


@pytest.fixture(scope="session")
def fuses() -> ModuleType:
    """tests/fuses.py: `Fuse`, which kills a process at a step that is counted out."""
    return _fuses


@pytest.fixture(scope="session")
def linters(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """tests/linters.py: `Linters`, installed."""
    return _linters.installed(tmp_path_factory.mktemp("linters"))


@pytest.fixture(scope="session")
def running() -> Iterator[ModuleType]:
    """tests/running.py: `figway()`, `start()`, `serving()`, `write_workspace()`, `create_key()`, `FIGWAY`."""
    yield _running
    _running.end()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A private PostgreSQL server (`servers.Server`), shared by the whole run."""
    with _servers.postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Any]:
    """A private MariaDB server (`servers.Server`), shared by the whole run."""
    with _servers.mariadb_server() as server:
        yield server
