"""Named SQL: a file a statement, with typed parameters, rewritten to `?` markers token by token, never regenerated.

    -- description: Stock of a warehouse that runs low
    -- effect: read                      (read, the default | idempotent_write | write)
    -- result: many                      (many, the default | one | count)
    -- param warehouse: text
    -- param below: integer null         (null: may be absent)
    -- column updated_at: timestamptz    (a result column's type, where the driver can't tell)
    -- function: shelf_of                (a function that the author vouches for, in a read)
    SELECT sku, on_hand FROM stock WHERE warehouse = :warehouse AND on_hand < coalesce(:below, 10)

The tokenizer tells parameters from casts (`a::text`), slices (`a[1:n]`), literals and quoted names; comments don't
reach the database, so that nothing in them (`/*! … */`) can be executed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sqlglot.dialects.dialect import Dialect as Grammar
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from adapters.contract import Effect
from adapters.errors import ConfigError, ConfigProblem
from adapters.odbc.dialects import Dialect
from adapters.odbc.guard import faults
from adapters.odbc.statements import marker
from adapters.odbc.values import ColumnType

_HEADER = re.compile(r"--\s*(?P<key>[a-z]+)(?:[ \t]+(?P<name>[^\s:]+))?\s*:\s*(?P<value>.*?)\s*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED = {
    TokenType.STRING, TokenType.IDENTIFIER, TokenType.HEREDOC_STRING, TokenType.RAW_STRING, TokenType.NATIONAL_STRING,
    TokenType.BYTE_STRING, TokenType.UNICODE_STRING, TokenType.HEX_STRING, TokenType.BIT_STRING,
}  # fmt: skip
_BLOCK = re.compile(r"/\*.*?\*/", re.DOTALL)
_EFFECTS = {effect.value: effect for effect in Effect}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter; one that may be absent is then NULL."""

    name: str
    type: ColumnType
    nullable: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A named SQL file as written; `first` is the line on which the SQL starts."""

    name: str
    file: str
    text: str
    first: int
    description: str
    effect: Effect
    result: str
    parameters: Mapping[str, Parameter]
    columns: Mapping[str, ColumnType]
    functions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement with `?` markers, and the parameter of each marker, in order."""

    sql: str
    markers: tuple[str, ...]


class _Fault(Exception):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def read_query(file: str, content: bytes) -> Query:
    """A file's header and text; raises `ConfigError` naming every faulty line."""
    problems: list[ConfigProblem] = []
    found: dict[str, str] = {}
    parameters: dict[str, Parameter] = {}
    columns: dict[str, ColumnType] = {}
    functions: set[str] = set()
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError([ConfigProblem(f"{file} is not UTF-8", "/queries", file, 1)]) from error
    first = 0
    while first < len(lines) and (not lines[first].strip() or lines[first].lstrip().startswith("--")):
        try:
            _header(lines[first].strip(), found, parameters, columns, functions)
        except ValueError as error:
            problems.append(ConfigProblem(str(error), "/queries", file, first + 1))
        first += 1
    if first == len(lines):
        problems.append(ConfigProblem("the file holds no statement", "/queries", file, len(lines) or 1))
    if problems:
        raise ConfigError(problems)
    name = PurePosixPath(file).stem
    effect, result = _EFFECTS[found.get("effect", "read")], found.get("result", "many")
    return Query(
        name, file, "\n".join(lines[first:]), first + 1, found.get("description", ""), effect, result,
        parameters, columns, frozenset(functions),
    )  # fmt: skip


def _header(
    line: str,
    found: dict[str, str],
    parameters: dict[str, Parameter],
    columns: dict[str, ColumnType],
    functions: set[str],
) -> None:
    match = _HEADER.fullmatch(line)
    if match is None:
        return  # an ordinary comment
    key, name, value = match["key"], match["name"], match["value"]
    if key == "param" and name:
        nullable = value.endswith(" null")
        if not _NAME.fullmatch(name) or name in parameters:
            raise ValueError(f"parameter '{name}' must be a plain name, declared once")
        parameters[name] = Parameter(name, ColumnType.parse(value.removesuffix(" null")), nullable)
    elif key == "column" and name:
        columns[name] = ColumnType.parse(value)
    elif name is None and key == "function":
        functions.add(value.lower())
    elif (name is None and key == "description") or (name is None and (key, value) in _SWITCHES):
        found[key] = value
    elif name is None and key in ("effect", "result", "param", "column"):
        known = ", ".join(each for switch, each in _SWITCHES if switch == key) or "NAME: TYPE"
        raise ValueError(f"'{value}' is no {key}; there are {known}")


_SWITCHES = [*(("effect", effect) for effect in _EFFECTS), ("result", "many"), ("result", "one"), ("result", "count")]


def prepare(query: Query, dialect: Dialect) -> Prepared:
    """The statement for a dialect, checked; raises `ConfigError` with file and line."""
    try:
        prepared = rewrite(
            query.text, {each.name: marker(each.type, dialect) for each in query.parameters.values()}, dialect.grammar
        )
    except _Fault as fault:
        line = query.first + fault.line - 1
        raise ConfigError([ConfigProblem(str(fault), "/queries", query.file, line)]) from fault
    problems = [
        f"parameter '{name}' is declared and not used" for name in query.parameters if name not in prepared.markers
    ]
    if query.effect is Effect.READ:
        problems += faults(prepared.sql, dialect.grammar, query.functions)
    if dialect.ascii_only and not prepared.sql.isascii():
        problems.append(f"{dialect.name}'s driver garbles characters outside ASCII in a statement; use parameters")
    if problems:
        raise ConfigError([ConfigProblem(text, "/queries", query.file, query.first) for text in problems])
    return prepared


def rewrite(text: str, declared: Mapping[str, str], grammar: str) -> Prepared:
    """`:name` becomes its marker (`?`, or a cast of it), a comment a blank; every other token stays as written."""
    # A statement that starts with CALL would come as two tokens, the second all the rest; behind a bracket it doesn't.
    text = "(" + text
    try:
        tokens = Grammar.get_or_raise(grammar or None).tokenize(text)[1:]
    except TokenError as error:
        raise _Fault(f"the SQL can't be read: {error}", 1) from error
    if tokens:
        _check_gap(text[tokens[-1].end + 1 :], grammar, tokens[-1])
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        raise _Fault("the file holds no statement", 1)
    pieces: list[str] = []
    markers: list[str] = []
    end, skip = 1, False
    for index, token in enumerate(tokens):
        gap = text[end : token.start]
        _check_gap(gap, grammar, token)
        end = token.end + 1
        if skip:
            skip = False
            continue
        pieces.append(" " if gap else "")
        name = _parameter(text, tokens, index, declared)
        if name is None:
            _check_token(text[token.start : end], token)
            pieces.append(text[token.start : end])
        else:
            pieces.append(declared[name])
            markers.append(name)
            skip = True
    return Prepared("".join(pieces).strip(), tuple(markers))


def _parameter(text: str, tokens: Sequence[Token], index: int, declared: Mapping[str, str]) -> str | None:
    """The parameter that a colon starts, or None where the token starts none."""
    token = tokens[index]
    if token.token_type is not TokenType.COLON or _slices(tokens, index):
        return None
    match = _NAME.match(text, token.end + 1)
    following = tokens[index + 1] if index + 1 < len(tokens) else None
    whole = (
        match is not None
        and following is not None
        and following.start == match.start()
        and following.end + 1 == match.end()
    )
    if match is not None and whole and match[0] in declared:
        return match[0]
    if _bracketed(tokens, index):
        return None
    raise _Fault(f"':{match[0] if match else ''}' is no declared parameter; add '-- param NAME: TYPE'", token.line)


def _slices(tokens: Sequence[Token], index: int) -> bool:
    """A colon behind an operand inside brackets parts a slice."""
    before = tokens[index - 1].token_type if index else None
    operand = before in _QUOTED or before in (TokenType.NUMBER, TokenType.VAR, TokenType.R_PAREN, TokenType.R_BRACKET,
                                              TokenType.PLACEHOLDER)  # fmt: skip
    return operand and _bracketed(tokens, index)


def _bracketed(tokens: Sequence[Token], index: int) -> bool:
    kinds = [token.token_type for token in tokens[:index]]
    return kinds.count(TokenType.L_BRACKET) > kinds.count(TokenType.R_BRACKET)


def _check_token(written: str, token: Token) -> None:
    if token.token_type in _QUOTED:
        return
    if token.token_type is TokenType.SEMICOLON:
        raise _Fault("a file holds one statement; this is a second", token.line)
    if "?" in written:
        raise _Fault(
            "'?' would be taken for a parameter; use :name, or a function in place of the operator", token.line
        )
    if "{" in written or "}" in written:
        raise _Fault("ODBC escapes in braces aren't taken; write plain SQL", token.line)


def _check_gap(gap: str, grammar: str, token: Token) -> None:
    if grammar == "mysql":
        if re.search(r"/\*M?!", gap):
            raise _Fault("'/*! … */' is a statement in disguise; write it plainly", token.line)
        if re.search(r"--(?!\s|$)", _BLOCK.sub("", gap)):
            raise _Fault("'--' starts a comment only before a blank here", token.line)


def read_queries(files: Mapping[str, bytes], folder: str) -> Iterator[tuple[str, bytes]]:
    """The named SQL files directly in a folder of the workspace, sorted."""
    for path in sorted(files):
        where = PurePosixPath(path)
        if where.suffix == ".sql" and where.parent == PurePosixPath(folder):
            yield path, files[path]
