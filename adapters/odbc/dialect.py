"""The facts of one driver; the tables of them are beside this file, one a driver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.odbc.failures import Codes

PLAIN_INSERT = "INSERT INTO {table} {names} {values}"
"""In standard SQL, which tells nothing of the row."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One driver's facts. In templates `{c}` is a quoted column, `{type}` the neutral type's SQL arguments."""

    name: str
    grammar: str = ""
    """sqlglot's name of the SQL dialect; "" is its own."""
    quote: str = '"'
    options: Mapping[str, str] = field(default_factory=dict)
    """Connection-string attributes that are set unless the configuration sets them."""
    encoding: str | None = None
    """For drivers whose wide characters aren't to be trusted: text passes as bytes in this encoding instead."""
    ascii_only: bool = False
    """Then a statement itself must be ASCII, since the driver manager takes its bytes for Latin-1; values needn't."""
    session: tuple[str, ...] = ()
    """Statements on every new connection; the session is read-only afterwards where the database can be."""
    begin_write: tuple[str, ...] = ()
    end_write: tuple[str, ...] = ()
    deadline: tuple[str, ...] = ()
    """Templates that bound a statement at the server, over `{ms}` and `{s}`, and its waiting for locks, over `{half}`,
    `{quarter}` (milliseconds) and `{lock_s}` (whole seconds): half as long, so that "locked" is told in time."""
    ping: str = "SELECT 1"
    read: Mapping[str, str] = field(default_factory=dict)
    """By neutral type: the expression to select, giving text where the driver's own conversion loses something."""
    stored: Mapping[str, str] = field(default_factory=dict)
    """By neutral type, where `read` isn't text: the expression that compares equal with the column again."""
    exact: str | None = "{c}"
    """A text column's expression that compares as the text is written, whatever collation the column has; None: there
    is none."""
    exact_implies: bool = False
    """What is equal by `exact` is equal by the column's own collation too."""
    bind: Mapping[str, str] = field(default_factory=dict)
    """By neutral type: the parameter, cast where the database would otherwise compare inexactly."""
    ascending: str = "CASE WHEN {c} IS NULL THEN 1 ELSE 0 END, {c}"
    descending: str = "CASE WHEN {c} IS NULL THEN 0 ELSE 1 END, {c} DESC"
    """Sort terms of a nullable column: NULL is greater than every value, everywhere."""
    limit: str = ""
    """Behind the ORDER BY, over `{skip}` and with one parameter; "" fetches only the rows wanted and closes the
    cursor."""
    lock: tuple[str, str] | None = None
    """What has a SELECT hold its rows against changes until the transaction ends: behind the table, and at the end."""
    insert: str = PLAIN_INSERT
    """Over the key's columns too, where the database tells them: `{keys}`, or `{inserted}` with that word before."""
    empty_insert: str = "DEFAULT VALUES"
    """In place of the names and values of a row that names no column."""
    last_id: str = ""
    """Where `insert` tells no key: the query of the key that the last insert generated."""
    digits: int | None = None
    """The most significant digits that a decimal keeps, where that is fewer than its type says."""
    eras: bool = False
    """It has dates outside the years 1 to 9999, written as `0044-03-15 BC` and `12026-01-01`."""
    clock_intervals: bool = False
    """Intervals are hours, minutes and seconds; else ISO 8601 durations."""
    bulk: Mapping[str, str] = field(default_factory=dict)
    """Connection-string attributes with which the driver hands a result on as it comes, instead of holding it."""
    bulk_begin: str = ""
    """Where a driver holds all of a result, whatever it is told: begins a transaction that keeps seeing what it saw
    first, in which the list is read page by page."""
    bulk_session: tuple[str, ...] = ()
    """Statements on a connection that reads so: its reader may be slow, and the deadline ends it."""
    cancels_beside: bool = False
    """Cancelling a statement frees its rows while their reader reads them, and so is done to another statement of the
    connection, which ends all that run."""
    rolls_back: bool = False
    """A connection that breaks before COMMIT is certain to leave nothing behind."""
    undoes: str = ""
    """Over the schema ("": wherever an unqualified name is looked up) and the table: a row where a rollback takes back
    all that a write of it does, none where that isn't known; "": nothing is known of any table."""
    settle: tuple[str, ...] = ()
    """Statements that judge, before the end of a transaction, what would be judged at its commit."""
    extras: str = ""
    """What SQLColumns doesn't tell, over the schema ("": the current one) and the table: name, filled by the
    database, boolean, decimal of any size."""
    table_types: str = "TABLE,VIEW"
    """What SQLTables is asked for."""
    hidden: str = ""
    """The tables that are only parts of others: schema ("": there are none), name."""
    comments: str = ""
    """Comments that the driver leaves out: schema, table, column ("" is the table's), text."""
    keys: str = ""
    """Primary keys where the driver tells them wrong, or slowly: schema, table, column, in the key's order."""
    foreigns: str = ""
    """Foreign keys where the driver is slow: schema, table, constraint, column, and the schema, table and column that
    it refers to, in the key's order."""
    uniques: str = ""
    """Unique indexes over whole columns, of all rows: schema, table, index, column, in the index's order."""
    procedures: str = ""
    """Schema, what tells procedures of one name apart, name, comment, and of each parameter in order: mode (IN, OUT,
    INOUT; NULL: it has none), name, type's name, precision, scale."""
    system_schemas: tuple[str, ...] = ()
    take_role: str = ""
    """Has the session act as `{role}`, quoted; "" where it can't. `drop_role` takes that back."""
    drop_role: str = ""
    take_variables: tuple[str, str] = ("", "")
    """Sets the session's variables: how the statement begins, and a term with one parameter over `{name}`."""
    drop_variables: tuple[str, str, str] = ("", "", "")
    """Takes them back: how the statement begins, a term, and what stands between two."""
    absent: str | None = None
    """What a variable is set to when the call names nobody."""
    codes: Codes = field(default_factory=Codes)

    @property
    def tells_keys(self) -> bool:
        """An INSERT answers the key of the new row."""
        return "{keys}" in self.insert or "{inserted}" in self.insert
