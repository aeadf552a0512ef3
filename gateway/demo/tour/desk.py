"""The platform team's desk: verbs as people type them, with whose credential they are shown to the gateway."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

_VERB = 90.0
_LOOK = 0.2


class TourFailed(Exception):
    """The tour can't go on; the message says in a sentence why."""


@dataclass(frozen=True)
class Ran:
    """What a verb printed, and its exit code."""

    code: int
    said: str


class Desk:
    """`facts` is what `.figway/demo.json` holds."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self._facts = facts
        self.url: str = facts["base_url"]
        self._client = httpx.AsyncClient(base_url=self.url, headers=self.headers("platform"), timeout=30)

    def headers(self, role: str) -> dict[str, str]:
        """What a role shows to the gateway."""
        return {"authorization": self._facts["credentials"][role]}

    async def verb(
        self, *words: str, role: str = "platform", expect: tuple[int, ...] = (0,), quiet: bool = False
    ) -> Ran:
        """Runs `figway WORDS` at the running gateway and shows it as it stands in a terminal; raises `TourFailed`."""
        figway = str(Path(sys.executable).with_name("figway"))
        environment = {**os.environ, "FIGWAY_TOKEN": self._facts["credentials"][role]}
        process = await asyncio.create_subprocess_exec(
            figway, *words, "--server", self.url, env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(process.communicate(), _VERB)
        ran = Ran(process.returncode or 0, out.decode().rstrip())
        if not quiet:
            say(f"$ {'' if role == 'platform' else f'({role}) '}figway {' '.join(map(_quoted, words))}")
            say("\n".join(f"  {line}" for line in ran.said.splitlines()))
        if ran.code not in expect:
            raise TourFailed(f"figway {' '.join(words)} ended with {ran.code}: {ran.said}")
        return ran

    async def flip(self, group: str, reason: str, *words: str) -> None:
        """Takes one step; tries again where the autopilot publishes at the same moment, or writes have to rest."""
        for again in (True, True, False):
            try:
                await self.verb("route", "flip", group, *words, "--reason", reason)
                return
            except TourFailed as failed:
                if not again or "refused" in str(failed):
                    raise
                await asyncio.sleep(1)

    async def get(self, path: str) -> Any:
        """What the control API answers."""
        return (await self._client.get(path)).raise_for_status().json()

    async def stage(self, group: str) -> dict[str, Any]:
        """Where the group is."""
        stage: dict[str, Any] = (await self.get(f"/-/admin/groups/{group}"))["stage"]
        return stage

    async def until(self, group: str, patience: float, *, reads: str, weight: float = 0) -> dict[str, Any]:
        """Waits until the group's reads are there, by whomever; raises `TourFailed`."""
        clock = asyncio.get_running_loop()
        end = clock.time() + patience
        while clock.time() < end:
            stage = await self.stage(group)
            if stage["reads"] == reads and stage["weight"] >= weight:
                return stage
            await asyncio.sleep(_LOOK)
        raise TourFailed(f"{group} isn't at {reads} {weight:g} % after {patience:g} s: {await self.stage(group)}")

    async def caught_up(self, group: str, patience: float) -> None:
        """Waits until all that was written up to now has been looked at on both sides; raises `TourFailed`."""
        clock = asyncio.get_running_loop()
        began = clock.time()
        while (await self.get(f"/-/admin/groups/{group}/reconciliation"))["oldest_lag"] > clock.time() - began:
            if clock.time() - began > patience:
                raise TourFailed(f"what was written of {group} isn't looked at after {patience:g} s")
            await asyncio.sleep(_LOOK)

    async def newest(self, author: str) -> dict[str, Any]:
        """The newest snapshot by that author."""
        found = (await self.get("/-/admin/snapshots?limit=100"))["items"]
        newest: dict[str, Any] = next(each for each in found if each["author"] == author)
        return newest

    async def close(self) -> None:
        await self._client.aclose()


def say(text: str = "") -> None:
    """Prints at once: somebody watches."""
    print(text, flush=True)


def _quoted(word: str) -> str:
    return f"'{word}'" if " " in word else word


def read_facts(path: Path) -> dict[str, Any]:
    """What `.figway/demo.json` holds."""
    facts: dict[str, Any] = json.loads(path.read_text())
    return facts
