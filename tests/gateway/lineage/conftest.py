"""A gateway whose mappings rename, filter and compose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

POLICY = """
permit (principal in Role::"reader", action in Action::"read", resource);
permit (principal in Role::"auditor", action == Action::"gateway:read_lineage", resource);
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, running: ModuleType) -> Path:
    """The workspace's folder."""
    files = {
        "gateway.yaml": "upstreams:\n  lab: {kind: lab}\n",
        "openapi/shop.yaml": Path(__file__).with_name("shop.yaml").read_text(),
        "policies/access.cedar": POLICY,
    }
    return running.write_workspace(tmp_path_factory.mktemp("shop"), files)


@pytest.fixture(scope="module")
def gateway(shop: Path, running: ModuleType) -> Iterator[Any]:
    """A `running.Running` that publishes the workspace whenever it changes."""
    with running.serving(shop, "--watch") as gateway:
        yield gateway
