"""`figway adapter`: start an adapter of one's own, and hold one to the rules that adapters are held to."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from adapters.registry import names
from gateway.cli.common import FINDING, USAGE, fail, json_option, print_json

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME = 40
_PLACES = {"kept": "[green]kept[/]", "broken": "[red]broken[/]", "not asked": "[dim]not asked[/]"}


@click.group("adapter")
def command() -> None:
    """Write an adapter of a kind of your own, and check it."""


@command.command("new", help="Start a package with an adapter that works.\n\nExample: figway adapter new ldap")
@click.argument("name")
@click.option(
    "--into", type=click.Path(path_type=Path, file_okay=False, exists=True), default=Path(), help="Where to put it."
)
def new(name: str, into: Path) -> None:
    """`figway adapter new NAME`: writes the folder figway-NAME."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        fail(f"'{name}' is no name for a kind: use small letters, digits and single hyphens, such as ldap", USAGE)
    if name in names():
        fail(f"a kind '{name}' is installed already: choose another name")
    folder = into / f"figway-{name}"
    try:
        folder.mkdir()
        _write(folder, name)
    except FileExistsError:
        fail(f"{folder} is there already")
    except OSError as error:
        fail(f"{error.filename} can't be written: {error.strerror}")
    click.echo(f"{folder} is an adapter of kind {name}. Next: 'figway adapter check {name}', then its README.md.")


def _write(folder: Path, name: str) -> None:
    words = {
        "__kind__": name,
        "__package__": f"figway_{name.replace('-', '_')}",
        "__Class__": "".join(map(str.capitalize, name.split("-"))),
    }
    scaffold = _scaffold()
    for source in sorted(scaffold.rglob("*.txt")):
        parts = [words["__package__"] if part == "package" else part for part in source.relative_to(scaffold).parts]
        target = folder.joinpath(*parts).with_suffix("")
        target.parent.mkdir(exist_ok=True)
        text = source.read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(word, value)
        target.write_text(text, encoding="utf-8")
    (folder / words["__package__"] / "py.typed").touch()


def _scaffold() -> Path:
    """The folder of templates; found without importing the kit, which needs pytest."""
    spec = find_spec("adapters")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0], "testing", "scaffold")


_CHECK = """Hold an adapter to the rules of figway's conformance suite.

NAME is a kind that is installed, a package's folder (or figway-NAME here), or a file with a suite. Nothing is
installed; the suite runs in a process of its own, which starts the adapter's system as its author wrote it.

\b
Example:
  figway adapter check ldap
"""


@command.command("check", help=_CHECK)
@click.argument("name")
@json_option
def check(name: str, as_json: bool) -> None:
    """`figway adapter check NAME`: exit 1 when a rule is broken."""
    if find_spec("pytest") is None:
        fail("the conformance suite needs pytest: install it with pip install 'figway[kit]'")
    from gateway.cli.adapter_check import CannotCheck, checked

    try:
        report = checked(name)
    except CannotCheck as error:
        fail(str(error))
    if as_json:
        print_json({"kind": name, "grade": report.grade, "rules": [each._asdict() for each in report.rules]})
    else:
        table = Table("rule", "grade", "state", "detail")
        for each in report.rules:
            table.add_row(each.rule, each.grade, _PLACES[each.state], each.detail or each.sentence)
        Console().print(table)
        click.echo(f"{name} has the grade {report.grade}." if report.grade else f"{name} has no grade.")
    if any(each.state == "broken" for each in report.rules):
        raise SystemExit(FINDING)
