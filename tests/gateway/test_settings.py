"""The process's settings: each one documented, a wrong one told in a sentence."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.settings import InvalidSetting, Settings


def test_nothing_needs_to_be_set() -> None:
    assert Settings.from_environment({"PATH": "/bin", "FIGWAY_PORT": ""}) == Settings()
    assert Settings() == Settings(state=None, host="127.0.0.1", port=8080, drain=0.0, log="info")


def test_everything_can_be_set() -> None:
    environment = {
        "FIGWAY_STATE": "/var/lib/figway",
        "FIGWAY_HOST": "::1",
        "FIGWAY_PORT": "0",
        "FIGWAY_DRAIN": "2.5",
        "FIGWAY_LOG": "Debug",
    }
    assert Settings.from_environment(environment) == Settings(Path("/var/lib/figway"), "::1", 0, 2.5, "debug")


def test_every_setting_is_documented() -> None:
    documented = re.findall(r"^ *- `(FIGWAY_[A-Z]+)`", inspect.getdoc(Settings) or "", re.MULTILINE)
    # Flags of the command line only: no environment opens a gateway to development tokens, or has it make up answers.
    assert documented == [
        f"FIGWAY_{field.name.upper()}" for field in fields(Settings) if field.name not in ("dev", "mock")
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FIGWAY_PORT", "65536"),
        ("FIGWAY_PORT", "-1"),
        ("FIGWAY_PORT", "8080.0"),
        ("FIGWAY_PORT", "²"),
        ("FIGWAY_DRAIN", "nan"),
        ("FIGWAY_DRAIN", "1e3"),
        ("FIGWAY_DRAIN", "3601"),
        ("FIGWAY_DRAIN", "."),
        ("FIGWAY_LOG", "loud"),
    ],
)
def test_a_wrong_value_is_told_in_a_sentence(name: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=re.escape(f"{name} is '{value}'; it must be ")):
        Settings.from_environment({name: value})


@settings(deadline=None, max_examples=200, database=None)
@given(st.dictionaries(st.sampled_from(["FIGWAY_PORT", "FIGWAY_DRAIN", "FIGWAY_LOG"]), st.text(max_size=8)))
def test_any_environment_is_taken_or_told(environment: dict[str, str]) -> None:
    try:
        found = Settings.from_environment(environment)
    except InvalidSetting:
        return
    assert 0 <= found.port <= 65535
    assert 0 <= found.drain <= 3600
