"""Which filters a list is imported with."""

from __future__ import annotations

from gateway.importing.filters import filters, sortable


def test_each_type_has_the_filters_that_make_sense():
    found = filters(
        {
            "id": {"type": "integer"},
            "name": {"type": ["string", "null"], "maxLength": 9, "description": "As it is called"},
            "price": {"type": ["string", "null"], "format": "decimal"},
            "day": {"type": "string", "format": "date"},
            "ratio": {"type": "number"},
            "open": {"type": ["boolean", "null"]},
            "state": {"type": ["string", "null"], "enum": ["A", "B", None]},
            "raw": {"type": "string", "contentEncoding": "base64"},
            "tags": {"type": "array"},
            "any": {},
        },
        {"id"},
    )
    assert list(found)[:6] == ["id", "name", "price", "day", "open", "state"]
    ranges = [f"{name}.{bound}" for name in ("price", "day", "ratio") for bound in ("ge", "le")]
    assert list(found)[6:] == ["name.like", *ranges]
    assert found["name"] == {"type": "string", "maxLength": 9}
    assert found["state"] == {"type": "string", "enum": ["A", "B"]}


def test_names_that_a_query_means_otherwise_are_left_out():
    names = ("limit", "cursor", "sort", "a.b", "a,b", "-a", "", "x" * 100, "a\nb")
    assert filters({name: {"type": "string"} for name in names}) == {}
    assert not any(sortable(name) for name in ("a,b", "-a", "", "a.b"))
    assert sortable("größe")


def test_a_wide_table_has_a_bounded_number():
    found = filters({f"c{at}": {"type": "integer"} for at in range(200)}, {"c7"})
    assert len(found) == 40
