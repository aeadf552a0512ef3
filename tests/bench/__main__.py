"""`make bench`: every figure as a ratio against what a user would pick instead, measured in one interleaved run.

Each module of this folder that has `measure()` is run in a process of its own, so that none warms or burdens another;
those whose names begin with `_` are for the others.
"""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
RESULTS = HERE.parents[1] / ".bench" / "results.json"


def main(names: list[str]) -> int:
    """Measures, prints and keeps the figures; the exit code is the number of modules that failed."""
    modules = [path for path in sorted(HERE.glob("*.py")) if not path.name.startswith("_")]
    chosen = [path for path in modules if not names or path.stem in names]
    console = Console(stderr=True)
    figures: list[dict[str, object]] = []
    failed = 0
    for path in chosen:
        with console.status(f"measuring {path.stem}"):
            run = subprocess.run([sys.executable, __file__, "--one", str(path)], capture_output=True, text=True)
        if run.returncode:
            failed += 1
            console.print(f"{path.stem} failed:\n{run.stderr[-2000:]}")
        else:
            figures += json.loads(run.stdout.splitlines()[-1])
    show(figures)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    return failed


def show(figures: list[dict[str, object]]) -> None:
    """The figures as a table."""
    table = Table("what", "value", "unit", "against", "ratio", title="figway: figures of this run")
    for figure in figures:
        value, ratio = figure["value"], figure.get("ratio")
        numbers = [f"{number:,.3g}" if isinstance(number, float | int) else "" for number in (value, ratio)]
        table.add_row(str(figure["name"]), numbers[0], str(figure["unit"]), str(figure.get("versus") or ""), numbers[1])
    Console(width=120 if not sys.stdout.isatty() else None).print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]
        print(json.dumps(runpy.run_path(sys.argv[2])["measure"]()))
    else:
        raise SystemExit(main(sys.argv[1:]))
