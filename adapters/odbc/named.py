"""Named SQL rewritten to `?` markers token by token, never regenerated; see `headers` for what a file says.

The tokenizer tells parameters from casts (`a::text`), slices (`a[1:n]`), literals and quoted names; comments don't
reach the database, so that nothing in them (`/*! … */`) can be executed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot.dialects.dialect import Dialect as Grammar
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from adapters.contract import Effect
from adapters.errors import ConfigError, ConfigProblem
from adapters.odbc.dialects import Dialect
from adapters.odbc.guard import faults
from adapters.odbc.headers import Query
from adapters.odbc.statements import marker

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED = {
    TokenType.STRING, TokenType.IDENTIFIER, TokenType.HEREDOC_STRING, TokenType.RAW_STRING, TokenType.NATIONAL_STRING,
    TokenType.BYTE_STRING, TokenType.UNICODE_STRING, TokenType.HEX_STRING, TokenType.BIT_STRING,
}  # fmt: skip
_BLOCK = re.compile(r"/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement with `?` markers, and the parameter of each marker, in order."""

    sql: str
    markers: tuple[str, ...]


class _Fault(Exception):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def prepare(query: Query, dialect: Dialect) -> tuple[Prepared, ...]:
    """The statements for a dialect, checked: one, or of a write any number; raises `ConfigError` with file and line."""
    try:
        prepared = statements(query.text, _markers(query, dialect), dialect.grammar)
        if query.effect is Effect.READ and len(prepared) > 1:
            raise _Fault("a read is one statement; this file holds more", 1)
    except _Fault as fault:
        line = query.first + fault.line - 1
        raise ConfigError([ConfigProblem(str(fault), "/queries", query.file, line)]) from fault
    used = {name for each in prepared for name in each.markers}
    problems = [f"parameter '{name}' is declared and not used" for name in query.parameters if name not in used]
    if query.effect is Effect.READ:
        problems += faults(prepared[0].sql, dialect.grammar, query.functions)
    if dialect.ascii_only and not all(each.sql.isascii() for each in prepared):
        problems.append(f"{dialect.name}'s driver garbles characters outside ASCII in a statement; use parameters")
    if problems:
        raise ConfigError([ConfigProblem(text, "/queries", query.file, query.first) for text in problems])
    return prepared


def _markers(query: Query, dialect: Dialect) -> Mapping[str, str]:
    """What stands for each parameter: a procedure gives back only into a bare one."""
    return {name: "?" if name in query.outs else marker(each.type, dialect) for name, each in query.parameters.items()}


def rewrite(text: str, declared: Mapping[str, str], grammar: str) -> Prepared:
    """`statements` of a text that holds one."""
    found = statements(text, declared, grammar)
    if len(found) > 1:
        raise _Fault("the text holds more than one statement", 1)
    return found[0]


def statements(text: str, declared: Mapping[str, str], grammar: str) -> tuple[Prepared, ...]:
    """`:name` becomes its marker (`?`, or a cast of it), a comment a blank; every other token stays as written."""
    made: list[Prepared] = []
    line = 0
    while text:
        try:
            prepared, end = _first(text, declared, grammar)
        except _Fault as fault:
            fault.line += line
            raise
        if prepared.sql:
            made.append(prepared)
        line += text.count("\n", 0, end)
        text = text[end:]
    if not made:
        raise _Fault("the file holds no statement", 1)
    return tuple(made)


def _first(text: str, declared: Mapping[str, str], grammar: str) -> tuple[Prepared, int]:
    """The first statement, and where the next one starts."""
    # A statement that starts with CALL would come as two tokens, the second all the rest; behind a bracket it doesn't.
    text = "(" + text
    tokens = _tokens(text, grammar)[1:]
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
        if token.token_type is TokenType.SEMICOLON:
            return Prepared("".join(pieces).strip(), tuple(markers)), end - 1
        pieces.append(" " if gap else "")
        name = _parameter(text, tokens, index, declared)
        if name is None:
            _check_token(text[token.start : end], token)
            pieces.append(text[token.start : end])
        else:
            pieces.append(declared[name])
            markers.append(name)
            skip = True
    if tokens:
        _check_gap(text[end:], grammar, tokens[-1])
    return Prepared("".join(pieces).strip(), tuple(markers)), len(text) - 1


def _tokens(text: str, grammar: str) -> Sequence[Token]:
    try:
        return Grammar.get_or_raise(grammar or None).tokenize(text)
    except TokenError as error:
        raise _Fault(f"the SQL can't be read: {error}", 1) from error


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
