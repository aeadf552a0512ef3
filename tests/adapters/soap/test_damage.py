"""A damaged WSDL is a configuration error or still a WSDL, whatever is missing from it; never a crash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import pytest
from lxml import etree

from adapters.contract import Workspace
from adapters.errors import ConfigError
from adapters.soap import KIND

_EVERY = 8
"""Trying each of the 1,600 damages takes half a minute; a stride that no pattern of the files shares sees all kinds."""


def _damaged(document: bytes) -> Iterator[bytes]:
    """`document` with each attribute removed or made nonsense, and with each element removed."""
    count = sum(1 for _ in etree.fromstring(document).iter())
    for number in range(1, count):
        for name in etree.fromstring(document).xpath(f"(//*)[{number + 1}]")[0].attrib:
            for value in (None, "", "nope", "x:y", "-1"):
                root = etree.fromstring(document)
                node = root.xpath(f"(//*)[{number + 1}]")[0]
                if value is None:
                    del node.attrib[name]
                else:
                    node.set(name, value)
                yield etree.tostring(root)
        root = etree.fromstring(document)
        node = root.xpath(f"(//*)[{number + 1}]")[0]
        node.getparent().remove(node)
        yield etree.tostring(root)


def _outcome(files: Mapping[str, bytes]) -> str:
    config = KIND.config.model_validate({"wsdl": "crm/orders.wsdl"})
    try:
        adapter = KIND.build("orders", config, Workspace(files, Path("/nonexistent/cache")))
    except ConfigError as error:
        return "refused" if all(problem.message for problem in error.problems) else "silent"
    assert all(operation.input["type"] == "object" for operation in adapter.operations().values())
    return "used"


@pytest.mark.filterwarnings("ignore::UserWarning:zeep")
@pytest.mark.parametrize("name", ["crm/orders.wsdl", "crm/orders.xsd"])
def test_damage(name: str, workspace: Workspace) -> None:
    damaged = islice(_damaged(workspace.files[name]), 0, None, _EVERY)
    outcomes = [_outcome({**workspace.files, name: document}) for document in damaged]
    assert {"refused", "used"} == set(outcomes)
