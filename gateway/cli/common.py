"""What the verbs share: their common options, and how they print and fail."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import orjson

_Command = TypeVar("_Command", bound=Callable[..., Any])

OK, FINDING, USAGE = 0, 1, 2


def workspace_option(command: _Command) -> _Command:
    """`--workspace DIR`: the folder that holds gateway.yaml, by default the current one."""
    option = click.option(
        "--workspace",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path(),
        show_default="the current folder",
        help="The folder that holds gateway.yaml.",
    )
    return option(command)


def json_option(command: _Command) -> _Command:
    """`--json`: print for programs instead of people."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def print_json(value: Any) -> None:
    """Prints one JSON document to stdout."""
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE, default=str))
    sys.stdout.flush()


def fail(sentence: str, code: int = FINDING) -> NoReturn:
    """Ends the verb with one sentence on stderr."""
    click.echo(f"figway: {sentence}", err=True)
    raise SystemExit(code)
