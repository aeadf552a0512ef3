"""What a database can't be told of callers is refused before any call, at the key that asks for it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from adapters.errors import ConfigError

TABLES = """
tables:
  notes:
    primary_key: [id]
    columns: [{name: id, type: integer}]
"""
ROLES = {"alice": {"role": "fig_alice"}}
VARIABLES = {"principal": "app.principal"}


@pytest.mark.parametrize(
    "config",
    [
        {"callers": {"alice": {"role": "none"}}},
        {"callers": {"alice": {"role": 'a"; RESET ROLE'}}},
        {"callers": {"alice": {"role": "a`b"}}},
        {"callers": {"alice": {"role": ""}}},
        {"callers": {"alice": {"role": "a\n"}}},
        {"variables": {"principal": "app.a\n"}},
        {"callers": {"": {"role": "a"}}},
        {"callers": {"role:": {"role": "a"}}},
        {"callers": {}},
        {"callers": {"alice": {}}},
        {"callers": {"alice": {"role": "a", "password": "b"}}},
        {"variables": {"principal": "role"}},
        {"variables": {"principal": "search_path"}},
        {"variables": {"principal": "app.a', 'x"}},
        {"variables": {"principal": "app.A"}},
        {"variables": {"subject": "app.subject"}},
        {"variables": {}},
    ],
)
def test_what_cannot_be_is_refused_offline(make: Any, sqlite: Any, config: Any) -> None:
    with pytest.raises(ValidationError):
        make(sqlite, TABLES, **config)


@pytest.mark.parametrize("config", [{"callers": ROLES}, {"variables": VARIABLES}])
def test_a_database_that_cannot_be_told_is_refused(make: Any, sqlite: Any, config: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        make(sqlite, TABLES, **config)
    assert [problem.where for problem in caught.value.problems] == [f"/{next(iter(config))}"]
    assert "sqlite can't be told who calls; postgresql and mariadb can" in str(caught.value)
