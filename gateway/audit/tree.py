"""The Merkle tree of RFC 6962 §2.1 over a writer's records, and its proofs.

A `Frontier` is all that is needed to grow it: the roots of the perfect subtrees that it consists of, so a record costs
one hash for its leaf and on average one more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH = 32
_EMPTY = sha256(b"").digest()


def leaf(record: bytes) -> bytes:
    """The hash of a record, without its line feed."""
    return sha256(b"\0" + record).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """A tree that grows at its end."""

    __slots__ = ("_roots", "size")

    def __init__(self, size: int = 0, frontier: bytes = b"") -> None:
        """The tree of `size` records whose perfect subtrees are `frontier`; raises `ValueError` when that can't be."""
        if len(frontier) != HASH * size.bit_count():
            raise ValueError(f"a tree of {size} records has {size.bit_count()} perfect subtrees")
        self.size = size
        self._roots = [frontier[at : at + HASH] for at in range(0, len(frontier), HASH)]

    def add(self, records: Iterable[bytes]) -> None:
        """Adds records, without their line feeds."""
        size, roots, hash = self.size, self._roots, sha256
        for record in records:
            top = hash(b"\0" + record).digest()
            level = size
            while level & 1:
                top = hash(b"\1" + roots.pop() + top).digest()
                level >>= 1
            roots.append(top)
            size += 1
        self.size = size

    def root(self) -> bytes:
        """The tree's hash."""
        if not self._roots:
            return _EMPTY
        top = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            top = node(left, top)
        return top

    def bytes(self) -> bytes:
        """The roots of its perfect subtrees, the largest first."""
        return b"".join(self._roots)


def root(leaves: Sequence[bytes]) -> bytes:
    """The hash of the tree over `leaves` (hashes of records): RFC 6962's MTH."""
    if len(leaves) < 2:
        return leaves[0] if leaves else _EMPTY
    split = _split(len(leaves))
    return node(root(leaves[:split]), root(leaves[split:]))


def inclusion(leaves: Sequence[bytes], at: int) -> list[bytes]:
    """The audit path of leaf `at` in the tree over `leaves` (RFC 6962 §2.1.1)."""
    if len(leaves) < 2:
        return []
    split = _split(len(leaves))
    if at < split:
        return [*inclusion(leaves[:split], at), root(leaves[split:])]
    return [*inclusion(leaves[split:], at - split), root(leaves[:split])]


def consistency(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """The proof that the tree over the first `size` leaves is a part of the one over all (RFC 6962 §2.1.2)."""
    return [] if size in (0, len(leaves)) else _subproof(leaves, size, whole=True)


def _subproof(leaves: Sequence[bytes], size: int, *, whole: bool) -> list[bytes]:
    if size == len(leaves):
        return [] if whole else [root(leaves)]
    split = _split(len(leaves))
    if size <= split:
        return [*_subproof(leaves[:split], size, whole=whole), root(leaves[split:])]
    return [*_subproof(leaves[split:], size - split, whole=False), root(leaves[:split])]


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1
