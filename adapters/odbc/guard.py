"""The parse check of a named query that says it only reads.

Last of three: grants in the database, then a session that is read-only, then this, when the workspace loads. A
PostgreSQL driver accepts several statements at once, a CTE may insert, and a function may do anything, so: exactly
one statement, a query, without locks or INTO, and no function that isn't known to be free of effects.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Set

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_FORBIDDEN = (
    exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock, exp.Merge, exp.Copy, exp.Set, exp.PropertyEQ,
    exp.NextValueFor, exp.ReadCSV, exp.ReadParquet, exp.ToFile,
)  # fmt: skip

# What it can't parse it says by its answer as well; each CALL would be a line in the operator's log.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

# Free of effects, and not of sqlglot's own list. A query that needs another declares it: `-- function: name`.
_WORDS = """
acos age array_length array_lower array_position array_to_json array_to_string array_upper asin atan bit_length
btrim cardinality char_length character_length charindex clock_timestamp concat_ws convert_tz cos cot cume_dist
curdate current_setting curtime datalength date_part dayname decode degrees div elt encode export_set field
find_in_set format from_base64 from_days from_unixtime gcd host hour inet_aton inet_ntoa initcap instr isempty
isfinite json_array json_array_elements json_array_elements_text json_array_length json_build_array
json_build_object json_each json_each_text json_group_array json_group_object json_object_keys json_quote
json_type json_typeof json_unquote json_valid jsonb_array_elements jsonb_array_elements_text jsonb_array_length
jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_exists jsonb_object_keys jsonb_path_exists
jsonb_path_query jsonb_to_record jsonb_to_recordset jsonb_typeof julianday justify_days justify_hours
justify_interval lcm likelihood likely localtime localtimestamp log10 log2 lower_inc lower_inf ltrim make_date
make_interval make_time make_timestamp make_timestamptz makedate maketime microsecond mid minute mod monthname
multirange nullif num_nonnulls num_nulls octet_length ord overlay percent_rank period_add period_diff pg_typeof
pi plainto_tsquery position printf quote quote_ident quote_literal quote_nullable radians range_merge
regexp_instr regexp_match regexp_matches regexp_split_to_array regexp_split_to_table regexp_substr row_to_json
rtrim scale sec_to_time second setweight sin soundex split_part statement_timestamp string_to_array
string_to_table strpos substring_index subtime sysdate tan time_to_sec timeofday to_base64 to_date to_days
to_hex to_json to_jsonb to_number to_timestamp to_tsquery to_tsvector total transaction_timestamp translate
trim_array trim_scale trunc ts_headline ts_rank ts_rank_cd typeof uncompress unicode unistr unlikely utc_date
utc_time utc_timestamp weekday weekofyear width_bucket yearweek
"""
PURE = frozenset(_WORDS.split())


def faults(sql: str, grammar: str, declared: Set[str]) -> Iterator[str]:
    """What keeps `sql` from being a harmless query, a sentence each; `declared`: functions vouched for."""
    try:
        statements = [tree for tree in sqlglot.parse(sql, dialect=grammar or None) if tree is not None]
    except (SqlglotError, RecursionError) as error:
        yield f"it can't be parsed, so it can't be shown to be read-only: {str(error).splitlines()[0]}"
        return
    if len(statements) != 1:
        yield "it must be exactly one statement"
        return
    tree = statements[0]
    if not isinstance(tree, exp.Query | exp.Values):
        yield "it is not a query; say '-- effect: write' if it changes something"
        return
    for node in tree.walk():
        if isinstance(node, _FORBIDDEN):
            yield f"it holds {type(node).__name__.upper()}, which a read must not; say '-- effect: write'"
        elif isinstance(node, exp.Func) and (name := unknown_function(node)) is not None and name not in declared:
            yield f"function {name} isn't known to be free of effects; vouch for it with '-- function: {name}'"


def unknown_function(node: exp.Func) -> str | None:
    """The name of a function that isn't known to be harmless."""
    parent = node.parent
    if isinstance(parent, exp.Dot) and parent.expression is node:
        qualifier = parent.this.name.lower()
        if qualifier != "pg_catalog":
            return f"{qualifier}.{node.name or node.sql_name()}".lower()
    if isinstance(node, exp.Anonymous) and node.name.lower() not in PURE:
        return node.name.lower()
    return None
