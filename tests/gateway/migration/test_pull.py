"""Stages written back into migration.yaml: what isn't said stays, comments and form too."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.migration.model import ReadStage, Stage, WriteStage
from gateway.migration.plan import same
from gateway.migration.pull import CannotPull, pulled
from gateway.routing.migration_schema import FILE, declared_stages

CANARY = Stage("canary", "dual_legacy", weight=50_000)

BLOCK = """\
# The shop's groups.
groups:
  items:
    state: replicated   # two databases
    reads:
      stage: shadow     # since Tuesday
    owner: team-a
  other: {state: shared}
"""


def test_only_values_change_in_a_block() -> None:
    fresh = pulled(BLOCK.encode(), {"items": Stage("new_only"), "other": Stage()}).decode()
    assert fresh == BLOCK.replace("stage: shadow", "stage: new_only")


def test_keys_are_added_where_they_are_missing() -> None:
    fresh = pulled(BLOCK.encode(), {"items": CANARY, "other": Stage("shadow")}).decode()
    told = declared_stages({FILE: fresh.encode()})
    assert same(told["items"], CANARY)
    assert same(told["other"], Stage("shadow"))
    for comment in ("# The shop's groups.", "# two databases", "# since Tuesday"):
        assert comment in fresh


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "# nothing yet\n",
        "groups:\n",
        "groups: {}\n",
        "groups: {}",
        "groups:\n  items:\n",
        "groups:\n  items: {}\n",
        "groups: {items: {reads: {stage: shadow}, writes: {}}}\n",
        "groups:\n  items:\n    reads:\n    writes: {stage: legacy}\n",
        'groups:\n  items: {reads: {stage: "shadow", weight: 7}} # ü\n',
    ],
)
def test_every_form_of_the_file(text: str | None) -> None:
    fresh = pulled(None if text is None else text.encode(), {"items": CANARY})
    assert same(declared_stages({FILE: fresh})["items"], CANARY)
    assert pulled(fresh, {"items": CANARY}) == fresh, "it says so already"


def test_what_is_shared_by_an_alias_is_left_to_people() -> None:
    text = b"groups:\n  a: {reads: &r {stage: shadow}}\n  b: {reads: *r}\n"
    with pytest.raises(CannotPull, match="by hand"):
        pulled(text, {"a": Stage("canary", weight=10_000), "b": Stage("shadow")})


STAGES = st.builds(
    Stage,
    st.sampled_from(get_args(ReadStage)),
    st.sampled_from(get_args(WriteStage)),
    weight=st.integers(0, 10**6),
    holdback=st.integers(0, 10**6),
    probe=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["items", "other", "third"]), STAGES))
def test_whatever_is_served_is_what_the_file_says_then(stages: dict[str, Stage]) -> None:
    fresh = pulled(BLOCK.encode(), stages)
    told = declared_stages({FILE: fresh})
    assert all(same(told.get(name, Stage()), stage) for name, stage in stages.items())
    untouched = declared_stages({FILE: BLOCK.encode()}).keys() - stages.keys()
    assert all(same(told[name], declared_stages({FILE: BLOCK.encode()})[name]) for name in untouched)
