"""The codecs of simple types of every variety (XML Schema part 2, section 2.5.1), and the checks that stand before
what is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, tzinfo

from adapters.contract import Json
from adapters.soap.facets import checker, fits
from adapters.soap.form import Form, Simple
from adapters.soap.scalars import atomic
from adapters.soap.values import BadValue, Codec, Encode

_Fits = Callable[[str], bool]


def codec(form: Form, key: str, zone: tzinfo) -> Codec:
    """The codec of the simple type called `key`; `zone` is that of a dateTime that names none."""
    simple = form.type(key)
    if not isinstance(simple, Simple):
        raise TypeError(f"{key} isn't a simple type")
    return codec_of(form, simple, zone)


def codec_of(form: Form, simple: Simple, zone: tzinfo) -> Codec:
    """The same for a type at hand."""
    if simple.variety == "list":
        return _list(codec(form, simple.members[0], zone))
    if simple.variety == "union":
        return _union([(codec(form, key, zone), _fits(form, key)) for key in simple.members])
    return atomic(simple, zone)


def encoder(form: Form, key: str, fixed: str | None = None) -> Encode:
    """From JSON to the text of the simple type called `key`, after every check; `fixed` is the only value that it may
    have. Raises `BadValue`."""
    encode, simple = codec(form, key, UTC).encode, form.type(key)
    if not isinstance(simple, Simple) or simple.variety != "atomic":
        return encode
    check = checker(simple if fixed is None else replace(simple, enumeration=(fixed,)))
    if check is None:
        return encode

    def checked(value: Json) -> str:
        text = encode(value)
        check(text)
        return text

    return checked


def _list(item: Codec) -> Codec:
    return Codec(
        lambda text: [item.decode(each) for each in text.split()],
        lambda value: " ".join(item.encode(each) for each in value),
    )


def _fits(form: Form, key: str) -> _Fits:
    """Whether a text is of the type called `key`, its facets included."""
    simple = form.type(key)
    if not isinstance(simple, Simple) or simple.variety == "union":
        return lambda text: True
    if simple.variety == "atomic":
        return fits(simple)
    item, counts = _fits(form, simple.members[0]), simple.facets
    least = int(counts.get("length", counts.get("minLength", "0")))
    most = int(counts.get("length", counts.get("maxLength", str(2**31))))
    return lambda text: least <= len(text.split()) <= most and all(map(item, text.split()))


def _union(members: list[tuple[Codec, _Fits]]) -> Codec:
    def decode(text: str) -> Json:
        for member, accepts in members:
            try:
                value = member.decode(text)
            except BadValue:
                continue
            if accepts(text):
                return value
        raise BadValue("is of none of its union's types")

    return Codec(decode, _shown)


def _shown(value: Json) -> str:
    """The text of a union's value is what JSON shows, whichever member it belongs to."""
    if isinstance(value, list):
        return " ".join(map(_shown, value))
    # bool is an int in Python.
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)
