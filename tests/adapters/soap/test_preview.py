"""A message as it would be sent, shown and not sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from adapters.capabilities import SupportsPreview
from adapters.contract import Context
from adapters.errors import Invalid
from adapters.secret import Reference
from adapters.soap.adapter import SoapAdapter

Connect = Callable[..., SoapAdapter]
Within = Callable[[float], Context]
_BODY = "{http://schemas.xmlsoap.org/soap/envelope/}Body"


async def test_it_is_what_is_sent_without_what_proves_who_sends_it(
    noting_php: tuple[str, Path], connect: Connect, within: Within, order: dict[str, Any], password: Reference
) -> None:
    url, journal = noting_php
    auth = {"wsse": {"username": "figway", "password": password, "type": "text"}}
    blocks = {"{urn:ours}Key": password}
    adapter = connect(url, auth=auth, headers=blocks)
    assert isinstance(adapter, SupportsPreview)
    assert (adapter.previews("PutOrder"), adapter.previews("Nothing")) == (True, False)
    before = journal.read_bytes()
    shown = (await adapter.preview("PutOrder", {"Order": order}, within(10))).message
    assert journal.read_bytes() == before
    assert "let me in" not in shown
    sent: list[bytes] = []
    original = adapter._client.send

    async def noting(*given: Any, **named: Any) -> Any:
        sent.append(named["body"])
        return await original(*given, **named)

    adapter._client.send = noting  # type: ignore[method-assign]
    await adapter.invoke("PutOrder", {"Order": order}, within(10))
    assert journal.read_bytes() != before
    assert b"let me in" in sent[0]
    bodies = [etree.fromstring(each).find(_BODY) for each in (shown.encode(), sent[0])]
    assert etree.tostring(bodies[0], method="c14n") == etree.tostring(bodies[1], method="c14n")


async def test_what_would_not_be_sent_is_not_shown(connect: Connect, within: Within) -> None:
    with pytest.raises(Invalid):
        await connect("http://127.0.0.1:1").preview("PutOrder", {"Order": {}}, within(10))
