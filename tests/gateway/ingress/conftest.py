"""One gateway for the tests of the data plane, over the lab adapter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

GATEWAY = """
upstreams:
  lab: {{kind: lab, journal: "{journal}", deadline: 8s, concurrency: 64}}
  faulty: {{kind: lab}}
  closed: {{kind: lab, down: true}}
defaults: {{max_body: 64KiB, max_reply: 48KiB}}
"""


@pytest.fixture(scope="package")
def workspace(tmp_path_factory: pytest.TempPathFactory, running: ModuleType) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    contract = Path(__file__).with_name("lab.yaml").read_text()
    files = {"gateway.yaml": GATEWAY.format(journal=folder / "journal.txt"), "openapi/lab.yaml": contract}
    return running.write_workspace(folder, files)


@pytest.fixture(scope="package")
def gateway(workspace: Path, running: ModuleType) -> Iterator[Any]:
    """A `running.Running`."""
    with running.serving(workspace) as gateway:
        yield gateway
