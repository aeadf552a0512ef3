"""Whole numbers of many records at once: 64 bits where they suffice, else as many 32-bit limbs as it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_LONG = 18
_LIMB = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


class Wide:
    """One number a record, without its sign: `small` (int64), or `limbs` (the lowest first, each of 32 bits)."""

    def __init__(self, small: npt.NDArray[np.int64] | None, limbs: list[npt.NDArray[np.uint64]] | None = None) -> None:
        self._small = small
        self._limbs = limbs

    @classmethod
    def of_digits(cls, digits: npt.NDArray[np.uint8]) -> Wide:
        """From (digits, records), the first digit the highest."""
        if len(digits) <= _LONG:
            return cls(_joined(digits))
        head = len(digits) % 9 or 9
        parts = [_joined(digits[:head]), *(_joined(digits[at : at + 9]) for at in range(head, len(digits), 9))]
        limbs = [np.zeros(digits.shape[1], np.uint64) for _ in range(-(-len(digits) * 10 // 96) + 1)]
        for part in parts:
            _add(limbs, part.astype(np.uint64), 10**9)
        return cls(None, limbs)

    @classmethod
    def of_bytes(cls, data: npt.NDArray[np.uint8]) -> Wide:
        """From (records, bytes), already in little-endian two's complement."""
        words = data.view("<u4").astype(np.uint64)
        return cls(None, [np.ascontiguousarray(words[:, at]) for at in range(words.shape[1])])

    def signed(self, negative: npt.NDArray[np.bool_], factor: int, width: int) -> npt.NDArray[np.uint8]:
        """(records, `width` bytes): the number times `factor` with its sign, little-endian two's complement."""
        if self._small is not None and factor < 10**_LONG and (factor == 1 or width == 8):
            return _widened(np.where(negative, -self._small, self._small) * factor, width)
        return self._long(negative, factor, width)

    def _long(self, negative: npt.NDArray[np.bool_], factor: int, width: int) -> npt.NDArray[np.uint8]:
        limbs = [limb.copy() for limb in self._limbs] if self._limbs is not None else _split(self._small)
        if self._small is not None:
            negative = negative ^ (self._small < 0)
        limbs += [np.zeros_like(limbs[0]) for _ in range(width // 4 - len(limbs))]
        while factor > 1:
            step = min(factor, 10**9)
            _add(limbs, np.zeros_like(limbs[0]), step)
            factor //= step
        words = np.stack(limbs[: width // 4], axis=1).astype("<u4")
        data = words.view(np.uint8).reshape(len(words), width)
        return _negated(data, negative)


def _split(small: Any) -> list[npt.NDArray[np.uint64]]:
    magnitude = np.abs(small).astype(np.uint64)
    return [magnitude & _LIMB, magnitude >> _SHIFT]


def _joined(digits: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """(digits, records) → numbers, neighbours by neighbours, in the narrowest type that holds them."""
    found: Any = digits
    for kind, base in ((np.uint8, 10), (np.uint16, 100), (np.uint32, 10_000), (np.int64, 10**8), (np.int64, 10**16)):
        if len(found) == 1:
            break
        if len(found) % 2:
            found = np.concatenate((np.zeros_like(found[:1]), found))
        pairs = np.multiply(found[0::2], kind(base), dtype=kind)
        pairs += found[1::2]
        found = pairs
    joined: npt.NDArray[np.int64] = found[0].astype(np.int64)
    return joined


def _add(limbs: list[npt.NDArray[np.uint64]], carry: npt.NDArray[np.uint64], base: int) -> None:
    """limbs = limbs * base + carry."""
    for number, limb in enumerate(limbs):
        total = limb * np.uint64(base) + carry
        limbs[number] = total & _LIMB
        carry = total >> _SHIFT


def _widened(values: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.uint8]:
    if width == 8:
        return values.astype("<i8").view(np.uint8).reshape(len(values), 8)
    words = np.empty((len(values), width // 8), "<i8")
    words[:, 0] = values
    words[:, 1:] = (values >> 63)[:, None]
    return words.view(np.uint8).reshape(len(values), width)


def _negated(data: npt.NDArray[np.uint8], negative: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Two's complement of the rows that are negative."""
    if not negative.any():
        return data
    rows = np.flatnonzero(negative)
    words = (~data[rows]).view("<u8").copy()
    carry = np.ones(len(rows), bool)
    for place in range(words.shape[1]):
        words[:, place] += carry.astype(np.uint64)
        carry &= words[:, place] == 0
    data = data.copy()
    data[rows] = words.view(np.uint8).reshape(len(rows), data.shape[1])
    return data
