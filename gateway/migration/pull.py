"""Stages written back into migration.yaml by the smallest edits of its text: comments and form stay.

Each edit replaces one value or adds one key; then the text is read again, so that positions never go stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from gateway.migration.model import Stage
from gateway.migration.plan import same
from gateway.routing.migration_schema import FILE, declared_stages, percent


class CannotPull(Exception):
    """The file can't be edited by a program; the message is a sentence."""


def pulled(content: bytes | None, stages: Mapping[str, Stage]) -> bytes:
    """migration.yaml with `stages` in it; unchanged where it says so already. Raises `CannotPull`."""
    text = "" if content is None else content.decode()
    for name, stage in stages.items():
        declared = declared_stages({FILE: text.encode()})
        if not same(stage, declared.get(name, Stage())):
            text = _with_stage(text, name, stage)
    told = declared_stages({FILE: text.encode()})
    wrong = [name for name, stage in stages.items() if not same(stage, told.get(name, Stage()))]
    if wrong:
        raise CannotPull(
            f"{FILE} can't be edited for {', '.join(wrong)}: write the stages by hand, 'figway plan' shows them"
        )
    return text.encode()


def _with_stage(text: str, name: str, stage: Stage) -> str:
    wanted: dict[tuple[str, str], str] = {("reads", "stage"): stage.reads, ("writes", "stage"): stage.writes}
    if stage.reads == "canary":
        wanted["reads", "weight"] = percent(stage.weight)
    if stage.reads == "live":
        wanted["reads", "holdback"] = percent(stage.holdback)
    wanted["reads", "probe"] = "on" if stage.probe else "off"
    defaults = {("reads", "stage"): "legacy", ("writes", "stage"): "legacy", ("reads", "probe"): "on"}
    for key, value in wanted.items():
        now = _scalar(text, ("groups", name, *key))
        if now != value and (now is not None or defaults.get(key) != value):
            text = _with_value(text, ("groups", name, *key), value)
    return text


def _with_value(text: str, place: tuple[str, ...], value: str) -> str:
    node = _compose(text)
    if node is None:
        return text + _block(place, value)
    for depth, key in enumerate(place):
        inner = _member(node, key)
        if inner is None or (isinstance(inner, yaml.ScalarNode) and depth < len(place) - 1):
            return _added(text, node, inner, place[depth:], value)
        node = inner
    return text[: node.start_mark.index] + value + text[node.end_mark.index :]


def _added(text: str, mapping: Any, empty: Any, place: tuple[str, ...], value: str) -> str:
    """The text with a key added to a mapping; `empty` is the key's null value, where the key is there already."""
    whole = value
    for key in reversed(place[1:]):
        whole = f"{{{key}: {whole}}}"
    if empty is not None:
        at = empty.start_mark.index
        gap = "" if text[at - 1 : at] in (" ", "\n") else " "
        return f"{text[:at]}{gap}{whole}{text[empty.end_mark.index :]}"
    line = f"{place[0]}: {whole}"
    if mapping.flow_style:
        at = mapping.value[-1][1].end_mark.index if mapping.value else mapping.start_mark.index + 1
        return f"{text[:at]}{', ' if mapping.value else ''}{line}{text[at:]}"
    first = mapping.value[0][0].start_mark
    return f"{text[: first.index]}{line}\n{' ' * first.column}{text[first.index :]}"


def _block(place: tuple[str, ...], value: str) -> str:
    group, name, track, key = place
    return f"{group}:\n  {name}:\n    {track}: {{{key}: {value}}}\n"


def _scalar(text: str, place: tuple[str, ...]) -> str | None:
    node = _compose(text)
    for key in place:
        node = _member(node, key)
    return node.value if isinstance(node, yaml.ScalarNode) else None


def _member(node: Any, key: str) -> Any:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _compose(text: str) -> Any:
    # Python's own reader: its marks count characters.
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise CannotPull(f"{FILE} can't be read: 'figway check' says why") from error
