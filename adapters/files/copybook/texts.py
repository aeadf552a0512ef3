"""Texts in records: characters of a code page, national characters, and bytes that are only shown."""

from __future__ import annotations

import codecs
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from adapters.contract import Json
from adapters.files.copybook.code_pages import CodePage
from adapters.files.copybook.layout import Field
from adapters.files.copybook.numbers import Decode
from adapters.files.copybook.options import CopybookOptions
from adapters.files.copybook.picture import Category
from adapters.files.undecodable import Undecodable

_CONTROL = [*range(0x20), *range(0x7F, 0xA0)]
_BLANKS = "".join(map(chr, range(0x21)))


def text(field: Field, page: CodePage, options: CopybookOptions) -> Decode:
    """The text, trimmed as the options say. Not strict: what isn't a character is U+FFFD."""
    size, tidy, decoder = field.size, tidier(field, options), _decoder(field, page, options)
    empty = None if options.improved_null_detection and not options.strict else ""

    def decode(data: bytes, at: int, env: Any) -> Json:
        raw = data[at : at + size]
        try:
            found = tidy(decoder(raw))
        except UnicodeDecodeError:
            raise Undecodable(f"{field.cobol} isn't text in its code page") from None
        return found if found or raw.strip(b"\0") else empty

    return decode


def _decoder(field: Field, page: CodePage, options: CopybookOptions) -> Callable[[bytes], str]:
    errors = "strict" if options.strict else "replace"
    if is_national(field):
        encoding = "utf-16-be" if options.is_utf16_big_endian else "utf-16-le"
    elif field.encoding is not None:
        own = CodePage.of(field.encoding) if options.strict else CodePage.as_cobrix(field.encoding)
        return lambda raw: own.decode(raw, errors)
    elif page.table is not None:
        return lambda raw: page.decode(raw, errors)
    else:
        encoding = page.name
    plain = codecs.getdecoder(encoding)
    return lambda raw: plain(raw, errors)[0]


def tidier(field: Field, options: CopybookOptions) -> Callable[[str], str]:
    """Padding is spaces, and LOW-VALUES where nothing was ever moved to the field."""
    policy = options.string_trimming_policy
    if field.right and policy == "right":
        policy = "both"
    blanks = " \0" if options.strict else _BLANKS
    trim: dict[str, Callable[[str], str]] = {
        "none": str,
        "left": lambda text: text.lstrip(blanks),
        "right": lambda text: text.rstrip(blanks),
        "both": lambda text: text.strip(blanks),
    }
    trimmed = trim[policy]
    if options.control_characters == "keep":
        return trimmed
    table = dict.fromkeys(_CONTROL, " " if options.control_characters == "space" else None)
    return lambda text: trimmed(text.translate(table))


def shown(field: Field) -> Decode:
    """Bytes as they are: in hexadecimal, in base64, or as ASCII."""
    size = field.size
    spell: Callable[[bytes], str] = {
        "bytes": lambda raw: b64encode(raw).decode(),
        "ascii": lambda raw: raw.decode("ascii", "replace"),
    }.get(field.usage, lambda raw: raw.hex().upper())
    return lambda data, at, env: spell(data[at : at + size])


def is_national(field: Field) -> bool:
    """Is the field UTF-16?"""
    return field.usage == "national"


def is_shown(field: Field) -> bool:
    """Are its bytes only shown?"""
    return field.usage in ("bytes", "hex", "ascii", "dbcs") and not (field.usage == "dbcs" and field.encoding)


def is_text(field: Field) -> bool:
    """Is the field text, of which a shorter record may hold a part?"""
    picture = field.picture
    return is_shown(field) or (picture is not None and picture.category in (Category.TEXT, Category.NATIONAL))
