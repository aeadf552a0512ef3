"""A record that can't be understood: said, counted and kept, never guessed at."""

from __future__ import annotations


class Undecodable(Exception):
    """The bytes don't mean what the dataset's description says; the message is one sentence fit for a caller.

    It names the field and never holds its bytes, which the caller may not be allowed to see.
    """
