"""Runs an adapter's conformance suite in a process of its own, and reads what came of each rule."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from lxml import etree

from adapters.registry import GROUP
from adapters.testing.rules import RULES, Grade

_LONGEST = 900.0
"""Seconds that a suite may take."""
_TAIL = 2000
"""Characters of what the suite printed that are shown where it couldn't run."""
_CASE = re.compile(r"test_rule\[([a-z]+)\]")


class CannotCheck(Exception):
    """The suite can't be found, or can't run; the message says why."""


class Asked(NamedTuple):
    """What came of one rule: `state` is "kept", "broken" or "not asked", `detail` says why."""

    rule: str
    grade: str
    sentence: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """What came of all rules, in their order."""

    rules: list[Asked]

    @property
    def grade(self) -> str | None:
        """The highest grade of which, as of those below, no rule is broken."""
        reached = None
        for grade in Grade:
            if any(each.state == "broken" for each in self.rules if each.grade == grade):
                break
            reached = grade.value
        return reached


@dataclass(frozen=True, slots=True)
class _Suite:
    """A suite's file, and the package that isn't installed, where it belongs to one."""

    file: Path
    folder: Path | None = None
    project: Mapping[str, Any] | None = None


def checked(name: str) -> Report:
    """Runs the suite of a kind, a package's folder or a file; raises `CannotCheck`."""
    suite = _suite(name)
    with tempfile.TemporaryDirectory(prefix="figway-adapter-") as folder:
        place = Path(folder)
        report = place / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        try:
            run = subprocess.run(  # noqa: S603 - this Python, on a file that the user names
                [*command, str(suite.file)], env=_environment(suite, place), cwd=suite.folder, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_LONGEST,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise CannotCheck(f"the suite of {name} didn't end within {_LONGEST:.0f} s") from None
        rules = _read(report) if report.exists() else []
        if not rules:
            raise CannotCheck(f"the suite of {name} can't run:\n{run.stdout[-_TAIL:].strip()}")
        return Report(rules)


def _suite(name: str) -> _Suite:
    for folder in (Path(name), Path(f"figway-{name}")):
        if (folder / "pyproject.toml").is_file():
            return _of_folder(folder.absolute())
    if name.endswith(".py") and Path(name).is_file():
        return _Suite(Path(name).absolute())
    points = entry_points(group=GROUP, name=name)
    if not points:
        known = ", ".join(sorted(entry_points(group=GROUP).names))
        raise CannotCheck(
            f"there is no package figway-{name} here, and no kind '{name}' is installed; there are {known}"
        )
    package = next(iter(points)).value.partition(":")[0]
    for file in _beside(package):
        if file.is_file():
            return _Suite(file)
    raise CannotCheck(f"the kind '{name}' ships no suite: {package}.conformance isn't there")


def _beside(package: str) -> Iterator[Path]:
    """Where the suite of a package may be, found without running any of it."""
    top, *inner = package.split(".")
    spec = find_spec(top)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield Path(folder, *inner, "conformance.py")


def _of_folder(folder: Path) -> _Suite:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError) as error:
        raise CannotCheck(f"{folder / 'pyproject.toml'} can't be read: {error}") from None
    points = project.get("entry-points", {}).get(GROUP, {})
    if len(points) != 1:
        raise CannotCheck(f"{folder / 'pyproject.toml'} names {len(points)} entry points in {GROUP}; it needs one")
    package = next(iter(points.values())).partition(":")[0].split(".")
    for root in (folder, folder / "src"):
        file = root.joinpath(*package, "conformance.py")
        if file.is_file():
            return _Suite(file, root, project)
    raise CannotCheck(f"{folder} has no suite: {'/'.join(package)}/conformance.py isn't there")


def _environment(suite: _Suite, place: Path) -> dict[str, str]:
    """With the package on the path, described as if it were installed, so that its entry point is found."""
    environment = dict(os.environ)
    if suite.folder is None or suite.project is None:
        return environment
    name, version = suite.project.get("name", "package"), suite.project.get("version", "0")
    described = place / f"{re.sub(r'[^A-Za-z0-9]+', '_', name)}-{version}.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n{_readme(suite)}")
    points = suite.project["entry-points"][GROUP]
    (described / "entry_points.txt").write_text(
        f"[{GROUP}]\n" + "".join(f"{kind} = {value}\n" for kind, value in points.items())
    )
    paths = [str(place), str(suite.folder), *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths)}


def _readme(suite: _Suite) -> str:
    for folder in (suite.folder, suite.folder.parent) if suite.folder else ():
        page = folder / "README.md"
        if page.is_file():
            return page.read_text(encoding="utf-8")
    return ""


def _read(report: Path) -> list[Asked]:
    """The rules that pytest's report (JUnit's XML) tells of."""
    states: dict[str, tuple[str, str]] = {}
    tree = etree.fromstring(report.read_bytes(), etree.XMLParser(resolve_entities=False, no_network=True))
    for case in tree.iter("testcase"):
        if (known := _CASE.fullmatch(case.get("name", ""))) is not None and known[1] in RULES:
            states[known[1]] = _state(case)
    return [
        Asked(name, RULES[name].grade.value, RULES[name].sentence, *found)
        for name, found in ((name, states[name]) for name in RULES if name in states)
    ]


def _state(case: etree._Element) -> tuple[str, str]:
    for child in case:
        message = child.get("message", "").removeprefix("Failed: ")
        if child.tag == "skipped":
            return "not asked", message
        if child.tag in ("failure", "error"):
            return "broken", " ".join(message.split())
    return "kept", ""
