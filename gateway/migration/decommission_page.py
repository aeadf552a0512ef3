"""The evidence to decommission as a page for people, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

DAYS = 30
"""Days without a call, where nobody asks for another number."""


def markdown(evidence: Mapping[str, Any]) -> str:
    """The page of a (signed) document."""
    return "\n".join(_lines(evidence)) + "\n"


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    group, days = found["group"], found["days"]
    systems = ", ".join(sorted({each["upstream"] for each in found["legacy"]})) or "nothing"
    yield f"# May {systems} be switched off for {group}?"
    yield ""
    yield "**Yes.**" if found["decommission"] else "**No:**"
    yield from (f"- {sentence}" for sentence in found["refused"])
    yield ""
    yield "| | |"
    yield "| --- | --- |"
    yield f"| as of | {found['time']}, snapshot {found['snapshot']} |"
    yield f"| laid down | {found['laid_down'] or 'not yet'} |"
    yield f"| quiet since | {found['quiet_since'] or '-'} |"
    yield f"| whole days without a call | {days['quiet']} of {days['needed']} |"
    yield f"| ends of months among them | {', '.join(days['month_ends']) or 'none'} |"
    asked = ", ".join(f"{name} {count}" for name, count in found["called_since"].items())
    yield f"| who asked since it was laid down | {asked} |"
    waiting = ", ".join(f"{count} {state}" for state, count in found["waiting"].items())
    yield f"| writes that wait or are unknown | {waiting or 'none'} |"
    yield f"| last reconciliation | {_reconciled(found.get('reconciliation'))} |"
    outs = ", ".join(f"{each['begun']} to {each['until']}" for each in found["brownouts"])
    yield f"| brown-outs | {outs or 'none'} |"
    history = found["history"]
    yield f"| history | {'unbroken' if history['unbroken'] else 'BROKEN'}, head `{history['head'][:16]}` |"
    yield from _callers(found)
    yield from _moves(history["snapshots"])
    if "signature" in found:
        yield from ("", "## Signature", "", "```text", found["signature"].rstrip("\n"), "```")


def _reconciled(sweep: Mapping[str, Any] | None) -> str:
    if sweep is None:
        return "none"
    counts = ", ".join(f"{count} {name}" for name, count in sweep["counts"].items() if count)
    return f"{sweep['ended']}, snapshot {sweep['snapshot']}: {counts or 'nothing there'}"


def _callers(found: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "## Who asked last", "", "| when | who | for | what | calls |", "| --- | --- | --- | --- | --- |")
    for each in found["last_callers"]:
        who = _cell(each.get("principal", "the gateway")) + (f" via {_cell(each['agent'])}" if "agent" in each else "")
        what = f"{each['upstream']} {_cell(each.get('operation', ''))}".strip()
        yield f"| {each['last']} | {who} | {each['purpose']} | {what} | {each['calls']} |"


def _moves(snapshots: list[Mapping[str, Any]]) -> Iterator[str]:
    yield from (
        "",
        "## How it came here",
        "",
        "| snapshot | when | who | stage | why |",
        "| --- | --- | --- | --- | --- |",
    )
    for each in snapshots:
        about = f"| {each['version']} | {each['time'][:19]}Z | {_cell(each['author'])} "
        yield f"{about}| {each['stage']} | {_cell(each['reason'])} |"


def _cell(text: str) -> str:
    """What others have written, in one cell and nothing more."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
