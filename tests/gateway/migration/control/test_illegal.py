"""Every illegal step is refused with each rule that it breaks: by the verb, by the control API, and by a file alike."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any, NamedTuple

import orjson
import pytest
from click.testing import CliRunner

from adapters import registry
from gateway.cli import plan as plan_verb
from gateway.cli import route as route_verb
from gateway.migration.model import READS, WRITES, Stage
from gateway.routing.groups import stage_document
from gateway.store.sqlite import SqliteState

SEED, SHOWN = int(os.environ.get("FIGWAY_SEED", "20261121")), None if os.environ.get("FIGWAY_SLOW") else 8
WAY = {"replicated": ("legacy", "dual_legacy", "dual_new", "new_only", "retired"),
       "shared": ("legacy", "new_only", "retired")}  # fmt: skip
"""The stages of writes that there are, by how the data is kept."""


class Step(NamedTuple):
    """A step that somebody may ask for."""

    state: str
    before: Stage
    after: Stage


def _track(step: Step, track: str) -> Iterator[str]:
    """The rules about one track's step, as they are written down."""
    order: tuple[str, ...] = READS if track == "reads" else WRITES
    way: tuple[str, ...] = READS if track == "reads" else WAY[step.state]
    before, after = getattr(step.before, track), getattr(step.after, track)
    if before == after or after not in way:
        return
    if order.index(after) < order.index(before):
        if before == "retired" or (track == "writes" and before == "new_only"):
            yield f"{track} are {before}, from where there is no way back"
        elif after != "legacy":
            yield f"{track} go back to legacy, not from {before} to {after}"
    elif after != way[way.index(before) + 1]:
        yield f"{track} go forward one stage at a time: after {before} comes {way[way.index(before) + 1]}, not {after}"


def _place(state: str, stage: Stage) -> Iterator[str]:
    """The rules about a stage."""
    served_anew = stage.reads in ("canary", "live", "new_only", "retired")
    if stage.writes == "dry_run":
        yield "writes can't be at dry_run"
    if state == "shared" and stage.writes in ("dual_legacy", "dual_new"):
        yield "on shared data they would be applied twice"
    if state == "replicated" and served_anew and stage.writes in ("legacy", "dry_run"):
        yield "bring writes to dual_legacy first"
    if stage.writes in ("new_only", "retired") and stage.reads not in ("new_only", "retired"):
        yield "bring reads to new_only"
    if state == "replicated" and stage.reads == "retired" and stage.writes not in ("new_only", "retired"):
        yield "legacy still has the last word"
    if stage.writes == "retired" and stage.reads != "retired":
        yield "retire reads first"


def broken(step: Step) -> list[str]:
    """What each rule that a step breaks must say."""
    return [*_track(step, "reads"), *_track(step, "writes"), *_place(step.state, step.after)]


def steps(state: str) -> list[Step]:
    """Every step from a stage that legal steps lead to, to any other; a few of them in the quick tests."""
    everywhere = [Stage(reads, writes) for reads, writes in product(READS, WRITES)]
    found, edge = {Stage()}, [Stage()]
    while edge:
        before = edge.pop()
        fresh = [each for each in everywhere if each not in found and not broken(Step(state, before, each))]
        found.update(fresh)
        edge += fresh
    ordered = sorted(found, key=str)
    every = [Step(state, before, after) for before in ordered for after in everywhere if after != before]
    return every if SHOWN is None else sorted(Random(SEED).sample(every, SHOWN), key=lambda step: str(step.before))


class Place:
    """A workspace whose file and store say that the group is somewhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "policies" / "migration.yaml"
        self._text = self._file.read_text()
        self._at: Stage | None = None

    def said(self, stage: Stage) -> bytes:
        """The file with that stage."""
        said = f"path.sku, reads: {{stage: {stage.reads}}}, writes: {{stage: {stage.writes}}}}}"
        return self._text.replace("path.sku}", said).encode()

    def put(self, stage: Stage) -> None:
        """Publishes the group where it is to be, as no step would."""
        if self._at == stage:
            return
        self._file.write_bytes(self.said(stage))
        with closing(SqliteState(self.folder / ".figway" / "state.db")) as state:
            active = state.active()
            files = {} if active is None else state.snapshot(active)[1]
            stages = {"items": stage_document(stage, "file")}
            said = {**(files or self._files()), "policies/migration.yaml": self.said(stage)}
            state.publish(said, expected_parent=active, author="test", reason="put", stages=stages)
        self._at = stage

    def _files(self) -> dict[str, bytes]:
        names = ("gateway.yaml", "openapi/lab.yaml", "policies/access.cedar", "policies/migration.yaml")
        return {name: (self.folder / name).read_bytes() for name in names}

    def by_verb(self, step: Step) -> tuple[bool, str]:
        """Whether the verb would take the step, and what it says."""
        stages = ["--reads", step.after.reads, "--writes", step.after.writes]
        arguments = ["flip", "items", *stages, "--reason", "x", "--plan", "--json", "--workspace", str(self.folder)]
        told = CliRunner().invoke(route_verb.command, arguments)
        return told.exit_code == 0, " ".join(orjson.loads(told.stdout)["refused"])

    def by_file(self, step: Step) -> tuple[bool, str]:
        """The same of a file that says so."""
        self._file.write_bytes(self.said(step.after))
        try:
            told = CliRunner().invoke(plan_verb.command, ["--json", "--workspace", str(self.folder)])
        finally:
            self._file.write_bytes(self.said(step.before))
        return told.exit_code == 0, told.output


@pytest.fixture
def lab_is_found(running: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process finds the lab's adapter, which another test of it may have looked for in vain; then forgets it."""
    monkeypatch.syspath_prepend(str(running.PLUGIN))
    known = (registry.kind, registry._entry_points)
    for each in known:
        each.cache_clear()
    yield
    for each in known:
        each.cache_clear()


@pytest.mark.usefixtures("lab_is_found")
@pytest.mark.parametrize("state", WAY)
@pytest.mark.parametrize("way", ["by_verb", "by_file"])
def test_every_illegal_step_is_refused_at_the_host(
    laboratory: Callable[..., None], tmp_path: Path, state: str, way: str
) -> None:
    laboratory(state)
    place, counted = Place(tmp_path), [0, 0]
    for step in steps(state):
        place.put(step.before)
        taken, text = getattr(place, way)(step)
        rules = broken(step)
        # A file is refused for the stages that it names already, before anyone asks where the group comes from.
        seen = list(_place(state, step.after)) if way == "by_file" and any(_place(state, step.after)) else rules
        assert taken != bool(rules), (step, text)
        assert [each for each in seen if each not in text] == [], (step, text)
        counted[bool(rules)] += 1
    print(f"{state} {way} (seed {SEED}): {counted[1]} illegal steps refused with their rules, {counted[0]} legal")


@pytest.mark.parametrize("state", ["replicated", pytest.param("shared", marks=pytest.mark.slow)])
def test_every_illegal_step_is_refused_by_the_control_api(administer: Callable[..., Any], state: str) -> None:
    with administer(writes=True, state=state) as control:
        place, counted = Place(control.folder), [0, 0]
        for step in steps(state):
            place.put(step.before)
            rules, before = broken(step), control.version()
            counted[bool(rules)] += 1
            if not rules:
                continue
            answer = control.flip({"reads": step.after.reads, "writes": step.after.writes}, before)
            assert answer.status_code == 409, (step, answer.text)
            problem = answer.json()
            assert problem["type"] == "urn:figway:problem:stage-refused"
            text = " ".join(each["detail"] for each in problem["errors"])
            assert [each for each in rules if each not in text] == [], (step, text)
            assert control.version() == before
        print(f"{state} by the API (seed {SEED}): {counted[1]} illegal steps refused with their rules")
        until = time.monotonic() + 30
        while control.anna.get("/-/admin/groups/items").headers["etag"] != f'"{control.version()}"':
            assert time.monotonic() < until  # what was published past the gateway is served in the end
            time.sleep(0.05)
