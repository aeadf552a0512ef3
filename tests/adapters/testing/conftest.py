"""Adapters made from the scaffold, whole or with one thing broken, and held to one rule in this process."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from adapters import registry
from adapters.testing import Subject, bench
from gateway.cli.adapter import command

Mutation = tuple[str, str, str]
"""A file of the package, what stands in it, and what stands there instead."""
Made = Callable[..., ModuleType]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """`made(*mutations)`: the `conformance` module of a package from the scaffold, with these mutations."""

    def make(*mutations: Mutation) -> ModuleType:
        done = CliRunner().invoke(command, ["new", "store", "--into", str(tmp_path)])
        assert done.exit_code == 0, done.output
        root = tmp_path / "figway-store"
        for file, old, new in mutations:
            path = root / file if file == "README.md" else root / "figway_store" / file
            text = path.read_text()
            assert old in text, f"{file} no longer holds {old!r}"
            path.write_text(text.replace(old, new))
        monkeypatch.syspath_prepend(root)
        point = EntryPoint("store", "figway_store:KIND", registry.GROUP)
        monkeypatch.setattr(registry, "_entry_points", lambda: {"store": point})
        monkeypatch.setattr(bench, "STILL", 15)
        return importlib.import_module("figway_store.conformance")

    _forget()
    gc.freeze()
    yield make
    _forget()
    gc.collect()  # what a broken adapter leaks is this test's, not the next one's
    gc.unfreeze()


def _forget() -> None:
    registry.kind.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "figway_store"]:
        del sys.modules[name]


@contextmanager
def _running(module: ModuleType, changes: Mapping[str, Any]) -> Iterator[Subject]:
    with module.Store(("127.0.0.1", 0), module.Exchange) as store:
        threading.Thread(target=store.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        subject = module.subject_of(store)
        yield Subject(**{**{name: getattr(subject, name) for name in subject.__slots__}, **changes})
        store.shutdown()


@pytest.fixture(scope="session")
def running() -> Callable[..., Any]:
    """`with running(module, changes)`: the module's subject on its store, with some of its members changed."""
    return _running
