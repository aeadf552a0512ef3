"""`figway decode`: a file of COBOL records, or of any other format, as JSON lines, CSV or Parquet.

No gateway needs to run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from adapters.files.copybook.cobrix import OptionError
from adapters.files.copybook.source import CopybookError
from adapters.files.decode import Decoding, Summary, Wanted, decoding
from adapters.files.decode_dataset import DatasetDecoding, dataset_decoding
from gateway.cli.common import FINDING, USAGE, fail

_HELP = """Decode a file of records: FILE, laid out as a copybook or the description of a dataset says.

Option names, field names and defaults are Cobrix's; the page of the files adapter lists them.

\b
Example:
  figway decode COMP.DAT --copybook comp.cpy --option record_format=V --option segment_field=SEGMENT-ID
  figway decode ACCOUNTS.DAT --copybook account.cpy --format parquet --out accounts.parquet
  figway decode orders.edi --dataset orders.yaml
"""
_TOLD = 10


@click.command("decode", help=_HELP)
@click.option("--copybook", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="The copybook; what it copies stands beside it.")  # fmt: skip
@click.option("--dataset", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Instead: YAML that says a dataset's format and options, for files of any format.")  # fmt: skip
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="How to read; may be repeated.")
@click.option("--format", "form", type=click.Choice(["json", "csv", "parquet"]), default="json", show_default=True,
              help="What to write; json is one object a line.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to; else standard output.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def command(
    copybook: Path | None, dataset: Path | None, options: tuple[str, ...], form: str, out: Path | None, file: Path
) -> None:
    """Exit 1 when a record couldn't be decoded."""
    if form == "parquet" and out is None:
        fail("a Parquet file can't go to standard output: name it with --out", USAGE)
    decode = _prepared(file, copybook, dataset, options, form)
    for name in decode.ignored:
        click.echo(f"figway: option {name} is for Spark and changes nothing here", err=True)
    try:
        with _target(out) as target, _progress(file) as advance:
            summary = decode.run(target, advance)
    except BrokenPipeError:
        _silence()
        return
    except OSError as error:
        fail(_said(error))
    _tell(summary)


def _prepared(
    file: Path, copybook: Path | None, dataset: Path | None, options: tuple[str, ...], form: str
) -> Decoding | DatasetDecoding:
    if (copybook is None) == (dataset is None):
        fail("say how the file is laid out: with --copybook, or with --dataset", USAGE)
    if dataset is not None and options:
        fail("--dataset holds its own options", USAGE)
    try:
        if dataset is not None:
            return dataset_decoding(file, dataset, form)
        assert copybook is not None
        return decoding(Wanted(file, copybook, _pairs(options), form))
    except OptionError as error:
        fail(f"{error}", USAGE)
    except CopybookError as error:
        for fault in error.faults:
            click.echo(f"figway: {copybook}:{fault.line}: {fault.message}", err=True)
        raise SystemExit(FINDING) from None
    except (OSError, ValueError) as error:
        fail(_said(error))


def _pairs(options: tuple[str, ...]) -> list[tuple[str, str]]:
    found = []
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name.strip():
            fail(f"--option must be NAME=VALUE, not '{option}'", USAGE)
        found.append((name.strip(), value.strip()))
    return found


def _said(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or 'the output'}: {error.strerror or 'it cannot be read or written'}"
    return str(error)


@contextmanager
def _target(out: Path | None) -> Iterator[BinaryIO]:
    """Where the records go. A file takes its name when all of it is there."""
    if out is None:
        yield sys.stdout.buffer
        return
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as target:
            yield target
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _silence() -> None:
    """Nobody reads on: what is still in the buffer goes nowhere, without a complaint at the end."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _progress(file: Path) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal: how many of the file's bytes are decoded."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda position: None
        return
    shown = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*shown, console=console, transient=True) as progress:
        task = progress.add_task("decode", total=file.stat().st_size)
        yield lambda position: progress.update(task, completed=position)


def _tell(summary: Summary) -> None:
    if summary.skipped:
        click.echo(f"figway: {summary.skipped} records are left out, as the options say", err=True)
    if summary.wrong:
        click.echo(f"figway: {summary.wrong} values are null because they couldn't be decoded", err=True)
    for bad in summary.bad[:_TOLD]:
        click.echo(f"figway: {bad.where} can't be decoded: {bad.reason}", err=True)
    if summary.undecodable:
        fail(f"{summary.undecodable} of {summary.undecodable + summary.records} records couldn't be decoded")
