"""Signed notes are C2SP's, and what isn't signed by a known key says nothing."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.audit.checkpoint import Claim
from gateway.audit.note import BadNote, PublicKey, Signer, joined, opened, public_keys, split

SIGNER = Signer.of("k1", b"s" * 32)
KEYS = public_keys(f"# the audit's\n\n{SIGNER.public}\n")
CLAIM = Claim("0123456789abcdef", 7, b"r" * 32, 3, b"h" * 32, 1_700_000_000_000_000, {"fedcba9876543210": 4})

# The key and the note of the Go module golang.org/x/mod/sumdb/note, whose form signed-note describes.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()


def test_a_note_signed_by_another_implementation_is_understood() -> None:
    assert opened(GO_NOTE, public_keys(GO_KEY)).startswith("If you think")
    with pytest.raises(BadNote, match="isn't what PeterNeumann signed"):
        opened(GO_NOTE.replace(b"answer", b"Answer"), public_keys(GO_KEY))


def test_a_checkpoint_says_what_it_claims() -> None:
    note = SIGNER.sign(CLAIM.text())
    assert Claim.parse(opened(note, KEYS)) == CLAIM
    lines = note.decode().split("\n")
    assert lines[:3] == ["figway-audit/0123456789abcdef", "7", b64encode(b"r" * 32).decode()]
    assert lines[5:8] == ["beside fedcba9876543210 4", "", lines[7]]
    assert lines[7].startswith("— figway-audit-k1 ")


@settings(deadline=None, max_examples=150, database=None)
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
@example(at=311, bit=0)  # base64's last digit has bits that stand for nothing
def test_any_flipped_bit_of_a_note_makes_it_worthless(at: int, bit: int) -> None:
    note = bytearray(SIGNER.sign(CLAIM.text()))
    note[at % len(note)] ^= 1 << bit
    with pytest.raises(BadNote):
        Claim.parse(opened(bytes(note), KEYS))


@settings(deadline=None, max_examples=200, database=None)
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: f"{text}\n\n— a b\n".encode()))
def test_what_is_no_note_is_refused(raw: bytes) -> None:
    with pytest.raises(BadNote):
        opened(raw, KEYS)


def test_notes_one_behind_another_come_apart_again() -> None:
    notes = [SIGNER.sign(CLAIM.text()), SIGNER.sign("figway-audit/x\n")]
    assert list(split(joined(notes))) == notes
    assert list(split(b"")) == []
    with pytest.raises(BadNote, match="without a signature"):
        list(split(joined(notes)[: len(notes[0]) + 5]))


@pytest.mark.parametrize("text", ["", "a", "a+b", "a+00000000+AAAA", f"{SIGNER.public}"[:-4], f"x{SIGNER.public}"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        PublicKey.parse(text)
