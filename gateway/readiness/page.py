"""The report as one page of HTML that stands alone: no script, nothing from elsewhere, light and dark, printable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files
from math import log10
from typing import Any, TypeAlias

Document: TypeAlias = Mapping[str, Any]

_SHORT = {"fast": "Under a second", "acts": "Actions", "visible": "Visible", "scales": "Scales"}
_WORDS = {"yes": ("✓", "yes"), "no": ("✕", "no"), "unchecked": ("–", "not checked")}
_MOST_STEPS, _NAMED = 100, 3
_LEAST, _MOST = 1.0, 10_000.0
"""Milliseconds at the ends of the bars, whose scale is logarithmic."""


def page(document: Document) -> str:
    """The page of a report (`document.document`)."""
    style = files("gateway.readiness").joinpath("page.css").read_text(encoding="utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Readiness</title><style>{style}</style>"
    )
    body = f"<body><main>{''.join(_body(document))}</main></body>"
    return f'<!doctype html><html lang="en"><head>{head}</head>{body}</html>\n'


def _body(document: Document) -> Iterator[str]:
    counts = document["verdicts"]
    how = (
        f"asked live, {document['calls']} calls of each read at most" if document["live"] else "by the workspace alone"
    )
    yield f"<header><h1>Readiness</h1><p>{_text(document['made'])}, {_text(how)}</p>"
    yield f'<p class="sum">{_share(counts)}</p></header>'
    yield "<section><h2>Upstreams</h2>" + _table(document, document["upstreams"], _system_name) + "</section>"
    steps = "".join(_steps(document))
    yield "<section><h2>Next steps</h2>"
    yield f"<ol>{steps}</ol></section>" if steps else "<p>None: every answer is yes.</p></section>"
    for system in document["upstreams"]:
        if system["routes"]:
            routes = _table(document, system["routes"], _route_name)
            yield f"<section><h2>{_text(system['upstream'])}</h2>{routes}</section>"
    if document["composites"]:
        yield f"<section><h2>Composites</h2>{_table(document, document['composites'], _route_name)}</section>"
    if document["without_system"]:
        told = "".join(
            f"<li>{_text(each['route'])}: its calls {_text(each['calls'])}" for each in document["without_system"]
        )
        yield f"<section><h2>Without a system</h2><ul>{told}</ul></section>"
    criteria = "".join(f"<dt>{_SHORT[name]}<dd>{_text(text)}" for name, text in document["questions"].items())
    yield f"<footer><dl>{criteria}</dl><p>The bars are logarithmic, from 1 ms to 10 s; the line is one second. The "
    yield "strong part ends at the median, the pale one at the 95th percentile. “Not checked” isn’t “no”: nothing is "
    yield "known.</p></footer>"


def _share(counts: Mapping[str, int]) -> str:
    parts = "".join(f'<span class="{name}" style="flex:{count}"></span>' for name, count in counts.items() if count)
    words = ", ".join(f"<b>{count}</b> {_WORDS[name][1]}" for name, count in counts.items())
    return f'<span class="share" aria-hidden="true">{parts}</span><span>{words}</span>'


def _table(document: Document, rows: Iterable[Document], name: Any) -> str:
    heads = "".join(f'<th scope="col">{each}</th>' for each in _SHORT.values())
    body = "".join(_line(document, row, name(row)) for row in rows)
    head = f'<tr><th scope="col"></th><th scope="col" class="bars">Time</th>{heads}</tr>'
    return f"<div class=wide><table><thead>{head}</thead><tbody>{body}</tbody></table></div>"


def _line(document: Document, row: Document, name: str) -> str:
    cells = "".join(f"<td>{_cell(row['answers'][each])}</td>" for each in _SHORT)
    return (
        f'<tr><th scope="row">{name}</th><td class="bars">{_bar(row["timing"], document["limit_ms"])}</td>{cells}</tr>'
    )


def _cell(answer: Document) -> str:
    sign, word = _WORDS[answer["verdict"]]
    return f'<span class="mark {answer["verdict"]}">{sign} {word}</span><small>{_text(answer["why"])}</small>'


def _bar(timing: Document | None, limit: float) -> str:
    if timing is None:
        return '<small class="none">not measured</small>'
    middle, end, line = (_at(each) for each in (timing["p50_ms"], timing["p95_ms"], limit))
    over = " over" if timing["p95_ms"] >= limit else ""
    told = f"{_spelt(timing['p50_ms'])} · {_spelt(timing['p95_ms'])}"
    return (
        f'<svg class="bar{over}" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="ground" width="100" height="10"/><rect class="late" width="{end}" height="10"/>'
        f'<rect class="half" width="{middle}" height="10"/>'
        f'<rect class="limit" x="{line}" width="0.8" height="10"/></svg>'
        f"<small>{told}</small>"
    )


def _at(milliseconds: float) -> float:
    """Where on a bar of 100 a time stands."""
    within = min(max(milliseconds, _LEAST), _MOST)
    return round(max(1.0, 100 * log10(within / _LEAST) / log10(_MOST / _LEAST)), 2)


def _spelt(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 1000 else f"{milliseconds:.3g} ms"


def _steps(document: Document) -> Iterator[str]:
    """What to do about each shortfall: the noes first, each once."""
    found: dict[tuple[str, str], list[str]] = {}
    routes = (row for system in document["upstreams"] for row in system["routes"])
    for row in (*document["upstreams"], *document["composites"], *routes):
        for name, answer in row["answers"].items():
            if answer["verdict"] != "yes" and answer["next"]:
                of = f"{row['upstream'] if 'upstream' in row else row['route']}: {_SHORT[name].lower()}"
                found.setdefault((answer["verdict"], answer["next"]), []).append(of)
    for (verdict, step), names in sorted(found.items(), key=lambda each: each[0][0])[:_MOST_STEPS]:
        sign, word = _WORDS[verdict]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        of = _text("; ".join(names[:_NAMED]) + more)
        yield f'<li><span class="mark {verdict}">{sign} {word}</span> <b>{of}</b><br>{_text(step)}'


def _system_name(row: Document) -> str:
    return f"{_text(row['upstream'])}<small>{_text(row['kind'])}</small>"


def _route_name(row: Document) -> str:
    side = "" if row["side"] in (None, "legacy") else f", {row['side']}"
    return f"{_text(row['route'])}<small>{_text(row['method'])} {_text(row['path'])}{_text(side)}</small>"


def _text(value: Any) -> str:
    """Escaped, with what stands between backquotes as code."""
    parts = escape(str(value)).split("`")
    if len(parts) % 2 == 0:
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
