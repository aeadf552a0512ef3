"""Plain modules beside tests: by path, because `tests` is no package, and folders have modules of the same names."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_TESTS = Path(__file__).parent


def beside(file: str, name: str) -> ModuleType:
    """The module NAME.py beside a file, or from there on, such as `../identity/issuing`; the same one to all."""
    path = Path(file).parent.joinpath(f"{name}.py").resolve()
    known = "_".join(("beside", *path.relative_to(_TESTS).with_suffix("").parts))
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]
