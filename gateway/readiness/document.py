"""The report as JSON: what the control API answers, and what table and page are made from."""

from __future__ import annotations

from typing import Any

from gateway.instants import spelt
from gateway.readiness.estate import Report, Row, System
from gateway.readiness.model import QUESTIONS, SECOND


def document(report: Report) -> dict[str, Any]:
    """The whole report. Times are in milliseconds; what wasn't measured is null."""
    verdicts = [each.verdict for each in report.answers()]
    return {
        "made": spelt(report.made),
        "live": report.live,
        "calls": report.calls,
        "limit_ms": round(SECOND * 1000),
        "questions": dict(QUESTIONS),
        "verdicts": {each: verdicts.count(each) for each in ("yes", "no", "unchecked")},
        "upstreams": [_system(each) for each in report.systems],
        "composites": [_row(each) for each in report.composites],
        "without_system": [
            {"route": each.operation_id, "calls": "are mocked" if each.absent == "mock" else "fail"}
            for each in report.absent
        ],
    }


def _system(system: System) -> dict[str, Any]:
    return {
        "upstream": system.name,
        "kind": system.kind,
        "timing": None if system.timing is None else system.timing.document(),
        "answers": {name: answer.document() for name, answer in system.answers.items()},
        "routes": [_row(each) for each in system.rows],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "route": row.route.operation_id,
        "method": row.route.method,
        "path": row.route.path,
        "effect": row.route.effect.value,
        "side": row.side or None,
        "timing": None if row.timing is None else row.timing.document(),
        "answers": {name: answer.document() for name, answer in row.answers.items()},
    }
