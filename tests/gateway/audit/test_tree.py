"""The tree and its proofs are RFC 6962's: by its own definition, by vectors, and by a second implementation."""

from __future__ import annotations

from hashlib import sha256

import pytest
from beside import beside
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.tree import Frontier, consistency, inclusion, leaf, root

# Certificate Transparency's own test vectors: eight leaves, and the roots over the first 1 to 8 of them.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = st.integers(1, 70)


other = beside(__file__, "independent_verifier")


@pytest.mark.parametrize("size", range(1, 9))
def test_the_known_trees(size: int) -> None:
    records = [bytes.fromhex(each) for each in LEAVES[:size]]
    grown = Frontier()
    grown.add(records)
    assert grown.root().hex() == root([leaf(each) for each in records]).hex() == ROOTS[size - 1]
    assert other.tree_hash([leaf(each) for each in records]).hex() == ROOTS[size - 1]


def test_an_empty_tree_is_the_hash_of_nothing() -> None:
    assert Frontier().root() == root([]) == other.tree_hash([]) == sha256(b"").digest()


@settings(deadline=None, database=None)
@given(first=SIZES, more=SIZES)
def test_a_tree_grows_as_if_it_had_been_built_at_once(first: int, more: int) -> None:
    records = [b"%d" % number for number in range(first + more)]
    tree = Frontier()
    tree.add(records[:first])
    again = Frontier(first, tree.bytes())
    again.add(records[first:])
    leaves = [leaf(each) for each in records]
    assert (again.size, again.root()) == (first + more, root(leaves))
    assert other.tree_hash(leaves) == root(leaves)


@settings(deadline=None, database=None)
@given(size=SIZES, data=st.data())
def test_an_inclusion_proof_leads_to_the_root_for_its_record_only(size: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, size - 1))
    leaves = [leaf(b"%d" % number) for number in range(size)]
    proof = inclusion(leaves, at)
    assert other.included(b"%d" % at, at, size, proof, root(leaves))
    assert not other.included(b"another", at, size, proof, root(leaves))
    if size > 1:
        assert not other.included(b"%d" % at, (at + 1) % size, size, proof, root(leaves))
        assert not other.included(b"%d" % at, at, size, proof[:-1], root(leaves))


@settings(deadline=None, database=None)
@given(first=SIZES, more=st.integers(0, 70))
def test_a_consistency_proof_holds_for_a_tree_that_only_grew(first: int, more: int) -> None:
    leaves = [leaf(b"%d" % number) for number in range(first + more)]
    proof = consistency(leaves, first)
    small, large = root(leaves[:first]), root(leaves)
    assert other.consistent(first, first + more, small, large, proof)
    changed = root([leaf(b"changed"), *leaves[1:first]])
    assert not other.consistent(first, first + more, changed, large, proof)


def test_a_frontier_that_cant_be_isnt_taken() -> None:
    with pytest.raises(ValueError, match="2 perfect subtrees"):
        Frontier(3, b"x" * 32)
