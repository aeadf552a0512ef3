"""`figway import`: what a legacy system says about itself becomes a contract, bindings, a policy and tests."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from gateway.cli.common import FINDING, USAGE, fail, json_option, workspace_option
from gateway.cli.import_summary import print_diff, print_plan, print_replacing, watched
from gateway.importing.drift import Grade
from gateway.importing.ledger import Ledger
from gateway.importing.model import CantImport, Reading, Request
from gateway.importing.pipeline import Plan, plan
from gateway.importing.readers import chosen, reader
from gateway.importing.replacing import Replacing, replacing
from gateway.importing.staging import alone, write
from gateway.routing.folder import read_workspace
from gateway.routing.model import InvalidWorkspace
from gateway.routing.references import looks_secret

_HELP = """Import what a legacy system says about itself.

Writes a contract, bindings, tests and a policy that denies writes until somebody allows them. Run it again when the
system has changed: what you changed stays.

\b
Examples:
  figway import wsdl crm.wsdl --upstream crm
  figway import wsdl https://crm.example.com/service?wsdl --upstream crm --include 'Get*'
  figway import odbc env:ERP_DSN --upstream erp --dry-run
  figway import copybook invoice.cpy --data INV0001.DAT --upstream billing
  figway import table stock.csv --upstream stock
  figway import openapi crm-next.yaml --upstream crm_next
"""
_UPSTREAM = "[a-z][a-z0-9_-]{0,62}"
_GC_OBJECTS = 100_000
_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group("import", help=_HELP)
def command() -> None:
    """`figway import KIND SOURCE --upstream NAME`."""


def _options(wrapped: _Command) -> _Command:
    """What every reader takes."""
    for option in (
        json_option,
        workspace_option,
        click.option("--dry-run", is_flag=True, help="Print what would change, and write nothing."),
        click.option("--accept-words", is_flag=True, help="Take over descriptions that changed at the source, too."),
        click.option("--allow-host", multiple=True, help="A host that may be asked though its address is private."),
        click.option("--exclude", multiple=True, metavar="GLOB", help="Names of the upstream's to leave out."),
        click.option(
            "--include", multiple=True, metavar="GLOB", help="Names of the upstream's to import; default: all."
        ),
        click.option("--upstream", required=True, help="What gateway.yaml calls it, or is to call it."),
        click.argument("source"),
    ):
        wrapped = option(wrapped)
    return wrapped


@command.command(
    "wsdl",
    help="Import a SOAP service: a WSDL, a folder or zip archive with one, or its URL.\n\n"
    "Example: figway import wsdl crm.wsdl --upstream crm",
)
@_options
@click.option("--service", help="The service, where the WSDL has several.")
@click.option("--port", help="The service's port; default: its first SOAP 1.1, then 1.2 one.")
@click.option("--address", help="Where the service is, instead of the address in the WSDL; may be env:NAME.")
def wsdl(**given: Any) -> None:
    """`figway import wsdl`."""
    _run("wsdl", ("service", "port", "address"), given)


@command.command(
    "odbc",
    help="Import a database: its tables, views, keys and procedures. "
    "SOURCE: a connection string, or a reference to one.\n\n"
    "Example: figway import odbc env:ERP_DSN --upstream erp --read-only",
)
@_options
@click.option("--schema", help="The schema to import, where the database has several.")
@click.option("--read-only", is_flag=True, flag_value="true", help="Import reads alone.")
def odbc(**given: Any) -> None:
    """`figway import odbc`."""
    _run("odbc", ("schema", "read_only"), given)


@command.command(
    "copybook",
    help="Import a file of COBOL records. SOURCE: its copybook.\n\n"
    "Example: figway import copybook invoice.cpy --data INV0001.DAT --upstream billing",
)
@_options
@click.option("--data", required=True, help="A file of such records, to measure on.")
@click.option("--code-page", help="Of its texts, such as cp037; default: told from the file.")
@click.option("--record-format", help="F, V, VB or text; default: told from the file.")
@click.option("--record", help="Which record, where the copybook has several.")
@click.option("--key", help="The field that names a record; default: measured on the file.")
def copybook(**given: Any) -> None:
    """`figway import copybook`."""
    _run("copybook", ("data", "code_page", "record_format", "record", "key"), given)


@command.command(
    "table",
    help="Import a file of rows: CSV, TSV, fixed width, Excel, DBF, JSON lines or Parquet.\n\n"
    "Example: figway import table 'drop/*.csv' --upstream stock",
)
@_options
@click.option("--format", help="csv, fixed, excel, dbf, json_lines or parquet; default: told from the file.")
@click.option("--code-page", help="Of its texts, such as cp1252; default: told from the file.")
@click.option("--key", help="The column that names a row; default: measured on the file.")
def table(**given: Any) -> None:
    """`figway import table`."""
    _run("table", ("format", "code_page", "key"), given)


@command.command(
    "openapi",
    help="Import a modern API as replacement of routes. SOURCE: its OpenAPI 3 document or URL.\n\n"
    "Example: figway import openapi crm-next.yaml --upstream crm_next",
)
@_options
def openapi(**given: Any) -> None:
    """`figway import openapi`."""
    _run("openapi", (), given)


def _run(kind: str, options: tuple[str, ...], given: dict[str, Any]) -> None:
    workspace: Path = given["workspace"]
    if not re.fullmatch(_UPSTREAM, given["upstream"]):
        fail(
            f"'{given['upstream']}' is no name for an upstream: use small letters, digits, - and _, such as crm", USAGE
        )
    named = {name: given[name] for name in options if given[name]}
    try:
        with alone(workspace), _seldom_collected():
            files = read_files(workspace, given["upstream"])
            asked = Ledger(
                reader=kind,
                source=kept_source(given["source"], workspace),
                include=given["include"],
                exclude=given["exclude"],
                options={name: kept_source(text, workspace) for name, text in named.items()},
                allowed_hosts=given["allow_host"],
            )
            with watched() as progress, TemporaryDirectory(prefix="figway-import-") as cache:
                request = Request(
                    source=given["source"],
                    upstream=given["upstream"],
                    chosen=chosen(asked.include, asked.exclude),
                    progress=progress,
                    options=named,
                    allowed_hosts=asked.allowed_hosts,
                    accepts_words=given["accept_words"],
                    cache=Path(cache),
                )
                if kind == "openapi":
                    made: Plan | Replacing = replacing(files, asked, request)
                else:
                    made = plan(files, asked, request, read(kind, request))
            _finish(workspace, made, dry_run=given["dry_run"], as_json=given["as_json"])
    except CantImport as error:
        fail(str(error))
    except InvalidWorkspace as error:
        fail(str(error.findings[0]) if error.findings else str(error))


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """What an import makes is large, stays to its end and has few cycles: looking for them was a third of its time."""
    usual = gc.get_threshold()
    gc.set_threshold(_GC_OBJECTS, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def read(kind: str, request: Request) -> Reading:
    """What a reader found; raises `CantImport`, also where nothing was."""
    reading = reader(kind)(request)
    if not reading.operations:
        reasons = "; ".join(f"{each.what}: {each.why}" for each in reading.left_out[:3])
        raise CantImport(f"{request.source} has nothing to import{': ' + reasons if reasons else ''}")
    return reading


def read_files(workspace: Path, upstream: str) -> dict[str, bytes]:
    """The workspace's files, and the upstream's tests; raises `InvalidWorkspace` and `CantImport`."""
    files = read_workspace(workspace)
    name = f"tests/test_{upstream.replace('-', '_')}.py"
    try:
        if (workspace / name).is_file():
            files[name] = (workspace / name).read_bytes()
    except OSError as error:
        raise CantImport(f"{name} can't be read: {error.strerror}") from error
    return files


def kept_source(source: str, workspace: Path) -> str:
    """A source as it is remembered: a path relative to the workspace, nothing that holds a secret."""
    if looks_secret(source):
        return ""
    if urlsplit(source).scheme in ("http", "https", "env", "file") or not os.path.exists(source):
        return source
    return os.path.relpath(Path(source).resolve(), workspace.resolve())


def _finish(workspace: Path, made: Plan | Replacing, *, dry_run: bool, as_json: bool) -> None:
    if dry_run:
        print_diff(made)
    elif made.files:
        write(workspace, made.files)
    if isinstance(made, Replacing):
        print_replacing(made, dry_run=dry_run, as_json=as_json)
    else:
        print_plan(made, dry_run=dry_run, as_json=as_json)
    if any(each.grade is Grade.BREAKING for each in made.drift):
        raise SystemExit(FINDING)
