"""A files adapter over a temporary folder, and COBOL programs compiled by GnuCOBOL."""

from __future__ import annotations

import io
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from beside import beside

from adapters.contract import Context, Workspace
from adapters.files import KIND
from adapters.files.adapter import FilesAdapter
from adapters.files.compile import compile_format
from adapters.files.config import Dataset
from adapters.files.content import InMemory
from adapters.files.formats import Bad, Copied, Record

TASK_COPYBOOK = """\
       01  TASK-RECORD.
           05  TASK-ID                PIC X(12).
           05  TITLE                  PIC X(20).
           05  DUE-DATE               PIC 9(8).
           05  PRIORITY               PIC X(6).
               88  PRIORITY-LOW       VALUE 'low'.
               88  PRIORITY-HIGH      VALUE 'high'.
           05  AMOUNT                 PIC S9(5)V99 COMP-3.
           05  FILLER                 PIC X(3).
           05  STATUS-CODE            PIC X.
"""

_STOCK: dict[str, Any] = {
    "match": ["stock.csv", "in/S-*.csv"],
    "format": "csv",
    "key": "sku",
    "append": "in/S-{sku}.csv",
    "replace": "stock.csv",
    "options": {"columns": {"sku": "text", "qty": "integer"}},
}

Build = Callable[..., FilesAdapter]


@pytest.fixture
def context() -> Callable[..., Context]:
    """`context(seconds)`: a call with that much time."""
    return lambda seconds=10.0: Context(time.monotonic() + seconds)


@pytest.fixture
def drop_folder(tmp_path: Path) -> Path:
    """The root folder of the adapters that `build` makes."""
    folder = tmp_path / "drop"
    (folder / "in").mkdir(parents=True)
    return folder


@pytest.fixture
async def build(tmp_path: Path, drop_folder: Path) -> AsyncIterator[Build]:
    """`build(datasets, files)`: an adapter over the drop folder, closed at the end."""
    made: list[FilesAdapter] = []

    def start(datasets: Mapping[str, Any], files: Mapping[str, str] | None = None, **config: Any) -> FilesAdapter:
        texts = {"task.cpy": TASK_COPYBOOK, **(files or {})}
        workspace = Workspace({name: text.encode() for name, text in texts.items()}, tmp_path / "cache")
        model = KIND.config.model_validate({"root": str(drop_folder), "datasets": datasets, **config})
        made.append(KIND.build("work", model, workspace))  # type: ignore[arg-type]
        return made[-1]

    yield start
    for adapter in made:
        await adapter.close()


@pytest.fixture
def tasks() -> dict[str, Any]:
    """The work queue: a master file and pending files of one record each."""
    return {
        "tasks": {
            "match": ["TASKMAST.DAT", "in/TASK-*.DAT"],
            "format": "copybook",
            "copybook": "task.cpy",
            "code_page": "ascii",
            "key": "task_id",
            "append": "in/TASK-{task_id}.DAT",
        }
    }


def _task(key: str, title: str = "Call back", due: str = "20270131", amount: bytes = b"\x00\x12\x34\x5c") -> bytes:
    return f"{key:<12}{title:<20}{due:<8}{'low':<6}".encode("latin-1") + amount + b"   Q"


@pytest.fixture
def task() -> Callable[..., bytes]:
    """`task(key)`: the bytes of a task record."""
    return _task


def _scanned(format: str, data: bytes, key: str = "id", **config: Any) -> list[Record | Bad]:
    dataset = Dataset.model_validate({"match": "x", "format": format, "key": key, **config})
    file = io.BytesIO(data)
    reader = compile_format(dataset, key, {}, "").reader(file, len(data))
    found = list(reader.scan(file))
    content = reader.content if isinstance(reader, Copied) else InMemory(data)
    for record in found:  # each record decodes alone from its bytes as it did in the file
        if isinstance(record, Record):
            assert reader.decode(content.read(record.start, record.end)) == record.value
    return found


@pytest.fixture(scope="session")
def scanned() -> Callable[..., list[Record | Bad]]:
    """`scanned(format, data, key, options=…)`: what a file of those bytes holds; may raise `Undecodable`."""
    return _scanned


@pytest.fixture(scope="session")
def values() -> Callable[..., list[dict[str, Any]]]:
    """`values(format, data, key, options=…)`: the records of a file that holds nothing else."""

    def of(*given: Any, **config: Any) -> list[dict[str, Any]]:
        found = _scanned(*given, **config)
        assert all(isinstance(record, Record) for record in found), found
        return [record.value for record in found if isinstance(record, Record)]

    return of


@pytest.fixture(scope="session")
def compile_cobol(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`compile_cobol(source, *flags)`: the program, compiled; GnuCOBOL is needed."""
    assert shutil.which("cobc"), "GnuCOBOL is missing: install it with 'apt-get install gnucobol3'"

    def compiled(source: str, *flags: str) -> Path:
        folder = tmp_path_factory.mktemp("cobol")
        program = folder / "program"
        (folder / "program.cob").write_text(source)
        done = subprocess.run(
            ["cobc", "-x", *flags, "-o", str(program), str(folder / "program.cob")],
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return program

    return compiled


@pytest.fixture
def legacy(drop_folder: Path) -> Iterator[Any]:
    """What answers the requests of `quotes`, once it is started."""
    (drop_folder / "out").mkdir()
    made = beside(__file__, "exchange_world").Legacy(drop_folder)
    yield made
    made.stop()


@pytest.fixture
def exchange() -> dict[str, Any]:
    """An upstream with the exchange `quote`, but for its root."""
    return {
        "datasets": beside(__file__, "exchange_world").ASKING,
        "exchanges": beside(__file__, "exchange_world").EXCHANGES,
    }


@pytest.fixture
def quotes(build: Build, legacy: Any, exchange: dict[str, Any]) -> Callable[[], FilesAdapter]:
    """`quotes()`: another adapter with the exchange."""
    return lambda: build(**exchange)


@pytest.fixture
def stock() -> dict[str, Any]:
    """A dataset of CSV files at a place."""
    return dict(_STOCK)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Build]:
    """`start(place)`: an adapter over a place, closed at the end."""
    made: list[FilesAdapter] = []

    def started(place: dict[str, Any], cache: str = "cache", **dataset: Any) -> FilesAdapter:
        config = {"place": {"every": 0, **place}, "datasets": {"stock": {**_STOCK, **dataset}}}
        made.append(KIND.build("far", KIND.config.model_validate(config), Workspace({}, tmp_path / cache)))  # type: ignore[arg-type]
        return made[-1]

    yield started
    for adapter in made:
        await adapter.close()


@pytest.fixture(scope="session")
def sales() -> ModuleType:
    """sales.py: `SALES`, the dataset, and `written()`, its files."""
    return beside(__file__, "sales")
