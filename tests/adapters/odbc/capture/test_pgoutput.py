"""PostgreSQL's replication messages: what is written is read, and no bytes break the reader."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import BadReply
from adapters.odbc.capture.pgoutput import UNCHANGED, Other, Written, lsn_of, lsn_text, message

_VALUES = st.one_of(st.none(), st.just(UNCHANGED), st.text(max_size=20).filter(lambda text: "\0" not in text))


def _tuple(values: list[str | bytes | None]) -> bytes:
    made = struct.pack("!H", len(values))
    for value in values:
        if value is None:
            made += b"n"
        elif isinstance(value, bytes):
            made += b"u"
        else:
            made += b"t" + struct.pack("!I", len(value.encode())) + value.encode()
    return made


@given(st.integers(0, 2**32 - 1), st.lists(_VALUES, max_size=8), st.lists(_VALUES, max_size=8), st.sampled_from("KO "))
def test_rows_are_read_as_they_were_written(
    relation: int, old: list[str | bytes | None], new: list[str | bytes | None], kind: str
) -> None:
    before = b"" if kind == " " else kind.encode() + _tuple(old)
    data = b"U" + struct.pack("!I", relation) + before + b"N" + _tuple(new)
    assert message(data) == Written("U", relation, None if kind == " " else old, kind == "O", new)
    deleted = b"D" + struct.pack("!I", relation) + b"K" + _tuple(old)
    assert message(deleted) == Written("D", relation, old, False, None)


@given(st.binary(min_size=1, max_size=60))
def test_whatever_comes_is_a_message_or_a_bad_reply(data: bytes) -> None:
    try:
        found = message(data)
    except BadReply:
        return
    assert found is not None


@given(st.integers(0, 2**64 - 1))
def test_places_in_the_log_are_spelt_as_the_database_does(lsn: int) -> None:
    assert lsn_of(lsn_text(lsn)) == lsn


def test_what_does_not_matter_is_told_apart() -> None:
    assert message(b"Oorigin") == Other("O")
    with pytest.raises(BadReply):
        message(b"I\0\0")
