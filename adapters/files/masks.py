"""Which records of the small files a filter lets through, found for all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_, or_
from typing import TypeAlias

from adapters.contract import Condition
from adapters.files.columnar import Column, Mask
from adapters.files.conditions import Conditions
from adapters.files.extras import Missing, numpy
from adapters.files.generation import Generation
from adapters.files.part import Part

Masks: TypeAlias = Sequence[Mask | None]
"""One for each file of a generation, by ordinals; None for a big one that has no columns yet."""

FEW = 500
"""Records of a file of which columns aren't worth their while."""


def masks_of(generation: Generation, conditions: Conditions) -> Masks | None:
    """The records of each file for which the conditions hold; None where numpy isn't installed. Raises `Changed`."""
    try:
        numpy()
    except Missing:
        return None
    return [_mask(part, conditions) if part.index is None else _big_mask(part, conditions) for part in generation.parts]


def _big_mask(part: Part, conditions: Conditions) -> Mask | None:
    if not part.big.ready(conditions.fields):
        return None
    np = numpy()
    found = [np.zeros(0, dtype="int64")]
    for ordinals, columns in part.big.blocks(conditions.fields):
        found.append(ordinals[held(conditions, columns, len(ordinals))])
    kept = np.concatenate(found)
    mask = np.zeros(int(kept.max(initial=0)) + 1, dtype=bool)
    mask[kept] = True
    return mask


def held(conditions: Conditions, columns: Mapping[str, Column], count: int) -> Mask:
    """The records of some columns for which the conditions hold."""
    every = numpy().ones(count, dtype=bool)
    kept = _all(conditions.where, columns, every)
    if conditions.groups is None:
        return kept
    visible = [_all(group, columns, every) for group in conditions.groups]
    return kept & reduce(or_, visible, ~every)


def _mask(part: Part, conditions: Conditions) -> Mask:
    np = numpy()
    columns = None if len(part.keys) < FEW else part.columns_of(conditions.fields)
    if columns is None:
        return np.fromiter((conditions.hold(row) for row in part.all_rows()), dtype=bool, count=len(part.keys))
    return held(conditions, columns, len(part.keys))


def _all(conditions: Sequence[Condition], columns: Mapping[str, Column], every: Mask) -> Mask:
    return reduce(and_, (columns[each.field].mask(each) for each in conditions), every)
