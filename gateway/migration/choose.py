"""Which side answers a read: what the group's stage, the caller and the call's bucket say, compiled once a snapshot.

First a signed word of the caller's (`gateway.migration.override`), then the group's cohorts, then the bucket of the
call's key: the entity's id, else the tenant, else on whose behalf the call is made. An agent alone is no key, as it is
all its users; without a key legacy answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from adapters.contract import Json
from gateway.call import Call, Principal
from gateway.migration.bucket import bucket_of
from gateway.migration.model import MILLION, Group, Side, Stage
from gateway.migration.override import HEADER, Ring, side_said
from gateway.routing.model import Expression, MappingFailed
from gateway.routing.scope import scope_builder

Choice: TypeAlias = tuple[Side, int]
"""The side, and the bucket that it was chosen by; the bucket is -1 where the call has no key."""
Choose: TypeAlias = Callable[[Call], Choice]
KeyOf: TypeAlias = Callable[[Call], str | None]

BOTH = ("canary", "live")
"""The stages of reads in which each side answers some calls."""
NO_BUCKET = -1
_PATH = re.compile(r"path\.([A-Za-z_][A-Za-z0-9_]*)")


def share(stage: Stage) -> int:
    """The replacement's share of buckets, in millionths: it owns [0, share)."""
    if stage.reads == "canary":
        return stage.weight
    if stage.reads == "live":
        return MILLION - stage.holdback
    return MILLION if stage.reads in ("new_only", "retired") else 0


def choose(group: Group, ring: Ring) -> Choose:
    """A function from a call to the side that answers it, at the stage that `group` has. It may raise `BadRequest`."""
    bucket_in = bucketing(group)
    replaced = share(group.stage)
    if group.stage.reads not in BOTH:
        side: Side = "replacement" if replaced else "legacy"
        return lambda call: (side, bucket_in(call))
    name, cohort_of = group.name, _cohorts(group.cohorts)

    def by_bucket(call: Call) -> Choice:
        bucket = bucket_in(call)
        if HEADER in call.raw_headers and (said := side_said(call, name, ring)) is not None:
            return said, bucket
        if cohort_of is not None and (called := cohort_of(call.principal)) is not None:
            return called, bucket
        return "replacement" if 0 <= bucket < replaced else "legacy", bucket

    return by_bucket


def _cohorts(cohorts: Mapping[str, Side]) -> Callable[[Principal | None], Side | None] | None:
    """A function from a caller to the side of its cohort: its own, else its teams' in their order, else its tenant's.
    None: there are no cohorts."""
    if not cohorts:
        return None
    kinds: dict[str, dict[str, Side]] = {"principal": {}, "team": {}, "tenant": {}}
    for name, side in cohorts.items():
        kind, _, who = name.partition(":")
        kinds[kind][who] = side
    principals, teams, tenants = kinds.values()

    def called(who: Principal | None) -> Side | None:
        if who is None:
            return None
        found = principals.get(who.id)
        if found is None and teams:
            found = next((teams[team] for team in who.teams if team in teams), None)
        return tenants.get(who.tenant or "") if found is None else found

    return called


def bucketing(group: Group) -> Callable[[Call], int]:
    """A function from a call to its bucket, 0 to 999,999, or -1 where it has no key."""
    key_of, bucket = key_in(group), bucket_of(group.salt, group.name)

    def of(call: Call) -> int:
        key = key_of(call)
        return NO_BUCKET if key is None else bucket(key)

    return of


def key_in(group: Group) -> KeyOf:
    """A function from a call to the key that its bucket is drawn by; None: it has none."""
    expression = group.key
    if expression is None:
        return _who
    value_of = _plain(expression)

    def key(call: Call) -> str | None:
        value = value_of(call)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return _who(call)

    return key


def _plain(expression: Expression) -> Callable[[Call], Json]:
    """The expression's value over a call, None where it has none. Nearly every key is a path parameter: that is read
    as it stands."""
    parameter = _PATH.fullmatch(expression.source)
    if parameter is not None:
        name = parameter[1]
        return lambda call: call.path.get(name)
    scope = scope_builder(expression.names())

    def value(call: Call) -> Json:
        try:
            return expression(scope(call))
        except MappingFailed:
            return None

    return value


def _who(call: Call) -> str | None:
    who = call.principal
    if who is None:
        return None
    return who.tenant or (who.id if who.id != who.agent else None) or None
