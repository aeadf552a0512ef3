"""The demo's contract, as each of its roles is served it, before judges of other makers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def test_what_each_role_is_served_is_clean(demo: Any, linters: Any, tmp_path: Path) -> None:
    served = {json.dumps(demo.get("/openapi.json", role)) for role in sorted(demo.facts["credentials"])}
    assert len(served) == 3  # who may read, who may also file tasks, who may do everything
    contracts = [tmp_path / f"{number}.json" for number in range(len(served))]
    for path, text in zip(contracts, sorted(served), strict=True):
        path.write_text(text)
    assert linters.findings(*contracts) == ""
