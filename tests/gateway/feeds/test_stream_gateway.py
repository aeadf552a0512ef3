"""A gateway that is killed while it publishes to a stream of NATS."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from typing import Any

import pytest

_EVENTS = """
events:
  streams:
    hub: {{url: "{url}", stream: GATE, prefix: gate, as: {{principal: hub, roles: [all]}}, sources: [erp.stock]}}
"""


@pytest.mark.slow
def test_a_gateway_that_is_killed_loses_and_repeats_nothing(world: Any, running: Any, hub: Any) -> None:
    asyncio.run(hub.add("GATE"))
    world.loaded(world.key("all"))
    config = world.workspace / "gateway.yaml"
    config.write_text(config.read_text() + _EVENTS.format(url=hub.url))
    apply = ("apply", "--reason", "streams", "--workspace", str(world.workspace))
    running.figway(*apply, extra=world.environment, check=True)
    number, end = 0, time.monotonic() + 60
    while not asyncio.run(hub.count("GATE")):  # a stream begins with what comes once it is known
        assert time.monotonic() < end
        world.sql(f"INSERT INTO stock VALUES ('n{number}', 'north', 's', 'i');")
        number += 1
        time.sleep(0.2)
    begun = number
    world.gateway.stop(signal.SIGKILL)
    for turn in range(4):
        with running.serving(world.workspace, extra=world.environment) as gateway:
            for _ in range(40):
                world.sql(f"INSERT INTO stock VALUES ('n{number}', 'north', 's', 'i');")
                number += 1
            time.sleep(0.1 * turn)
            gateway.stop(signal.SIGKILL)
    with running.serving(world.workspace, extra=world.environment):
        world.sql(f"INSERT INTO stock VALUES ('n{number}', 'north', 's', 'i');")
        end = time.monotonic() + 60
        while f"n{number}" not in (told := _codes(hub)):
            assert time.monotonic() < end, told
            time.sleep(0.2)
    assert sorted(set(told)) == sorted(told)
    assert {f"n{each}" for each in range(begun, number + 1)} <= set(told)


def _codes(hub: Any) -> list[str]:
    found = [json.loads(each.data)["data"]["after"] for each in asyncio.run(hub.messages("GATE"))]
    return [each["code"] for each in found if each]
