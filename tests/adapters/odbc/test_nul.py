"""SQLite holds texts with a NUL, at which its driver ends them: none is answered cut short."""

from __future__ import annotations

import pytest

from adapters.errors import BadReply

TABLES = """
tables:
  held:
    primary_key: [id]
    columns: [{name: id, type: integer}, {name: t, type: text, nullable: true}]
"""


@pytest.fixture
async def held(sqlite, make):
    sqlite.fresh("held", "id INTEGER PRIMARY KEY, t TEXT")
    sqlite.run("INSERT INTO held VALUES (1, 'ab' || char(0) || 'cd'), (2, 'ok'), (3, NULL), (4, char(0)), (5, '');")
    return make(sqlite, TABLES)


async def test_a_text_with_a_nul_is_an_error(held, soon):
    for key in (1, 4):
        with pytest.raises(BadReply):
            await held.invoke("held.get", {"id": key}, soon())
    with pytest.raises(BadReply):
        await held.invoke("held.list", {"limit": 10}, soon())


async def test_others_are_as_they_were(held, soon):
    for key, text in ((2, "ok"), (3, None), (5, "")):
        assert (await held.invoke("held.get", {"id": key}, soon())).value == {"id": key, "t": text}
