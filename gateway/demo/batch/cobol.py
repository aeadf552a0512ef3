"""COBOL programs: compiled with GnuCOBOL when the estate starts, and run with their files by name."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from gateway.demo.place import HERE, sources

_SOURCES = HERE / "batch"
_SECONDS = 60


class BatchFailed(RuntimeError):
    """A COBOL program didn't compile or ended with a return code; the message holds what it said."""


def compile_program(name: str, folder: Path) -> Path:
    """The program `NAME.cob` as an executable in `folder`; its copybooks come from the workspace."""
    made = folder / name
    books = [argument for place in (_SOURCES, sources("work"), sources("billing")) for argument in ("-I", str(place))]
    _run(["cobc", "-x", "-O", *books, "-o", str(made), str(_SOURCES / f"{name}.cob")], {"TMPDIR": str(folder)})
    return made


def run_program(program: Path, files: Mapping[str, Path]) -> str:
    """Runs `program` with each of its files assigned to a path; answers what it displayed."""
    return _run([str(program)], {**{f"DD_{name}": str(path) for name, path in files.items()}, "TZ": "UTC"})


def _run(command: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(  # noqa: S603 (our own programs)
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()
        raise BatchFailed(f"{Path(command[0]).name} ended with {done.returncode}: {said}")
    return done.stdout.strip()
