"""Text files that people write, in whatever encoding they did."""

from __future__ import annotations


def copybook_text(source: bytes) -> str:
    """A copybook's text: UTF-8, or else Latin-1, which has a character for every byte."""
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError:
        return source.decode("latin-1")
