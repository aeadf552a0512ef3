"""Which records of the small files a filter lets through, found for all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
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
"""One for each file of a generation; None for one whose index is on disk."""

FEW = 500
"""Records of a file of which columns aren't worth their while."""


def masks_of(generation: Generation, conditions: Conditions) -> Masks | None:
    """The records of each small file for which the conditions hold; None where numpy isn't installed. Raises
    `Changed`."""
    try:
        numpy()
    except Missing:
        return None
    return [None if part.index is not None else _mask(part, conditions) for part in generation.parts]


def _mask(part: Part, conditions: Conditions) -> Mask:
    np = numpy()
    columns = None if len(part.keys) < FEW else part.columns_of(conditions.fields)
    if columns is None:
        return np.fromiter((conditions.hold(row) for row in part.all_rows()), dtype=bool, count=len(part.keys))
    every = np.ones(len(part.keys), dtype=bool)
    kept = _all(conditions.where, columns, every)
    if conditions.groups is None:
        return kept
    visible = [_all(group, columns, every) for group in conditions.groups]
    return kept & reduce(or_, visible, ~every)


def _all(conditions: Sequence[Condition], columns: dict[str, Column], every: Mask) -> Mask:
    return reduce(and_, (columns[each.field].mask(each) for each in conditions), every)
