"""Cobrix's options, as NAME=VALUE texts → our own, with Cobrix's defaults; what we haven't is refused by name.

Source: the options of the README of Cobrix 2.9, a COBOL data source for Spark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from adapters.files.copybook.code_pages import CodePage
from adapters.files.copybook.options import DecodeOptions

_SPARK = frozenset({
    "allow_indexing", "enable_indexes", "enable_index_cache", "enable_self_checks", "improve_locality",
    "input_split_records", "input_split_size_mb", "metadata", "optimize_allocation", "partition_size_mb",
    "records_per_partition", "debug_layout_positions",
})  # fmt: skip
"""They say how Spark shares the work or describes its columns, and change nothing of what is read."""

_REFUSED = {
    **dict.fromkeys(("copybook", "copybooks", "copybook_contents"), "name the copybook with --copybook"),
    **dict.fromkeys(("data_paths", "paths", "path"), "decode one file after the other"),
    **dict.fromkeys(
        ("record_extractor", "record_header_parser", "re_additional_info", "rhp_additional_info"),
        "it names a Java class; say the file's framing with record_format and record_length_field",
    ),
    "ebcdic_code_page_class": "it names a Java class; name a code page with ebcdic_code_page",
}
_FORMATS = {"T": "text", "D": "text", "D2": "text", "TEXT": "text"}
_SAME = frozenset(DecodeOptions.model_fields) - {
    "control_characters", "field_code_page", "redefine_segment_id_map", "segment_children", "segment_id_levels",
}  # fmt: skip
_NUMBERED = re.compile(r"(redefine[_-]segment[_-]id[_-]map|segment[_-]children)(?::\d+)?")
_LEVEL = re.compile(r"segment_id_level(\d{1,2})")
_TRUE = {"true": True, "false": False}


class OptionError(ValueError):
    """An option isn't known, isn't supported, or has a wrong value; the message names it."""


class _Reading:
    """What the options have said so far."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {"strict": False, "string_trimming_policy": "both"}
        self.encoding: str | None = None
        self.code_page = "common"
        self.charset: str | None = None
        self.ignored: list[str] = []
        self.levels: dict[int, list[str]] = {}

    def take(self, name: str, value: str) -> None:
        special = _SPECIAL.get(name)
        if name in _REFUSED:
            raise OptionError(f"option {name} isn't supported: {_REFUSED[name]}")
        if name in _SPARK:
            self.ignored.append(name)
        elif special is not None:
            special(self, value)
        elif (match := _NUMBERED.fullmatch(name)) is not None:
            self._family(match[1].replace("-", "_"), name, value)
        elif name.startswith("field_code_page:"):
            pages = self.values.setdefault("field_code_page", {})
            pages.setdefault(_known(name.partition(":")[2].strip()), []).extend(_list(value))
        elif (match := _LEVEL.fullmatch(name)) is not None:
            self.levels[int(match[1])] = _list(value)
        elif name in _SAME:
            self.values[name] = _typed(name, value)
        else:
            raise OptionError(f"option {name} isn't known")

    def _family(self, option: str, name: str, value: str) -> None:
        key, arrow, rest = value.partition("=>")
        if not arrow or not key.strip():
            raise OptionError(f"option {name} must be like 'FIELD => VALUE1,VALUE2'")
        self.values.setdefault(option, {}).setdefault(key.strip(), []).extend(_list(rest))


def read(options: Iterable[tuple[str, str]]) -> tuple[DecodeOptions, CodePage, list[str]]:
    """(options, code page, the names of options that change nothing here); raises `OptionError`."""
    reading = _Reading()
    for name, value in options:
        reading.take(name, value)
    page = _page(reading)
    if not page.ebcdic:
        reading.values.setdefault("control_characters", "drop")
    if reading.levels:
        reading.values["segment_id_levels"] = [reading.levels.get(each, []) for each in range(max(reading.levels) + 1)]
    _check(reading.values)
    try:
        return DecodeOptions.model_validate(reading.values), page, reading.ignored
    except ValidationError as error:
        fault = error.errors()[0]
        raise OptionError(f"option {fault['loc'][0] if fault['loc'] else ''}: {fault['msg']}") from None


def _page(reading: _Reading) -> CodePage:
    text = reading.values.get("record_format") == "text"
    encoding = reading.encoding or ("ascii" if text else "ebcdic")
    name = reading.code_page if encoding == "ebcdic" else reading.charset or ("utf-8" if text else "ascii")
    return CodePage.as_cobrix(_known(name))


def _known(name: str) -> str:
    try:
        CodePage.as_cobrix(name.lower())
    except (LookupError, UnicodeError):
        raise OptionError(f"code page '{name}' isn't known here; single-byte ones such as cp037 are") from None
    return name.lower()


def _check(values: Mapping[str, Any]) -> None:
    """Options that don't go together."""
    if values.get("block_length") and values.get("records_per_block"):
        raise OptionError("options block_length and records_per_block can't be used together")
    if not values.get("truncate_comments", True) and ("comments_lbound" in values or "comments_ubound" in values):
        raise OptionError("options comments_lbound and comments_ubound need truncate_comments=true")
    needing = {"redefine_segment_id_map", "segment_filter", "segment_id_levels", "segment_children"} & values.keys()
    if needing and not values.get("segment_field"):
        raise OptionError(f"option {min(needing)} needs segment_field")
    if values.get("segment_children") and not values.get("redefine_segment_id_map"):
        raise OptionError("option segment_children needs redefine_segment_id_map")
    if values.get("display_pic_always_string") and values.get("strict_integral_precision"):
        raise OptionError("options display_pic_always_string and strict_integral_precision can't be used together")
    if values.get("record_length_field") and values.get("record_format", "F") != "F":
        raise OptionError("option record_length_field needs record_format=F")


def _list(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _typed(name: str, value: str) -> Any:
    """The value as its option's type has it; what is wrong with it the model tells."""
    annotation = str(DecodeOptions.model_fields[name].annotation)
    if annotation.startswith("list"):
        return _list(value)
    if annotation.startswith("dict"):
        return _json(name, value)
    if "bool" in annotation:
        if value.lower() not in _TRUE:
            raise OptionError(f"option {name} must be true or false, not '{value}'")
        return _TRUE[value.lower()]
    if name == "binary_smallest" or name == "pointer_size":
        return int(value) if value.isdecimal() else value
    return value


def _json(name: str, value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise OptionError(f"option {name} must be a JSON object") from None


def _set_format(reading: _Reading, value: str) -> None:
    reading.values["record_format"] = _FORMATS.get(value.upper(), value.upper())


def _set_debug(reading: _Reading, value: str) -> None:
    spelt = {"true": "hex", "false": "none", "raw": "binary"}
    reading.values["debug"] = spelt.get(value.lower(), value.lower())


def _set_trimming(reading: _Reading, value: str) -> None:
    if value == "keep_all":
        reading.values["control_characters"] = "keep"
    reading.values["string_trimming_policy"] = "none" if value == "keep_all" else value


def _set_encoding(reading: _Reading, value: str) -> None:
    if value.lower() not in ("ascii", "ebcdic"):
        raise OptionError(f"option encoding must be ebcdic or ascii, not '{value}'")
    reading.encoding = value.lower()


def _set_code_page(reading: _Reading, value: str) -> None:
    reading.code_page = _known(value)


def _set_charset(reading: _Reading, value: str) -> None:
    reading.charset = _known(value)


def _sequence(reading: _Reading, value: str) -> None:
    if _typed("generate_record_id", value):
        reading.values.setdefault("record_format", "V")


def _text(reading: _Reading, value: str) -> None:
    if _typed("generate_record_id", value):
        reading.values["record_format"] = "text"


def _pedantic(reading: _Reading, value: str) -> None:
    """An unknown option is always refused here."""


def _control(reading: _Reading, value: str) -> None:
    reading.values["control_characters"] = value


def _root(reading: _Reading, value: str) -> None:
    reading.levels.setdefault(0, _list(value))


def _mappings(reading: _Reading, value: str) -> None:
    reading.values["occurs_mappings"] = _json("occurs_mappings", value)


_SPECIAL: dict[str, Callable[[_Reading, str], None]] = {
    "record_format": _set_format,
    "debug": _set_debug,
    "string_trimming_policy": _set_trimming,
    "encoding": _set_encoding,
    "ebcdic_code_page": _set_code_page,
    "ascii_charset": _set_charset,
    "is_record_sequence": _sequence,
    "is_xcom": _sequence,
    "is_text": _text,
    "pedantic": _pedantic,
    "control_characters": _control,
    "occurs_mapping": _mappings,
    "segment_id_root": _root,
}
