"""What is logged, recorded and measured, and what callers can put into it."""

from __future__ import annotations

from typing import Any


def _request(lab: Any, target: bytes, *fields: bytes, method: bytes = b"GET") -> bytes:
    own = (b"Host: x", b"Authorization: " + lab.keys["agent"].encode(), b"Connection: close", *fields)
    return lab.raw(method + b" " + target + b" HTTP/1.1\r\n" + b"\r\n".join(own) + b"\r\n\r\n")


def forged_log_lines(lab: Any) -> None:
    forged = "%0a2026-11-21 15:00:00,000 INFO figway FORGED-LINE"
    lab.get("/nowhere/" + forged, headers={"user-agent": "x\x1b[2J FORGED-AGENT"})
    lab.get("/hostile/x" + forged)
    lines = (lab.gateway.folder / "log.txt").read_text().splitlines()
    assert not [line for line in lines if line.startswith("2026-11-21 15:00:00,000 INFO figway FORGED")]


def terminal_escapes_in_the_log(lab: Any) -> None:
    lab.get("/nowhere/%1b%5b2J%1b%5d0;owned%07")
    lab.poisoned(b"HTTP/1.1 500 \x1b[2Jowned\r\n\r\n", "escapes")
    assert b"\x1b" not in (lab.gateway.folder / "log.txt").read_bytes()


def forged_audit_records(lab: Any) -> None:
    forged = '{"kind":"call","id":"01FORGED","principal":"petra","decision":"allow"}'
    lab.get("/nowhere/%22%7d%0a" + forged.replace('"', "%22"), headers={"idempotency-key": '"x"'})
    audit = lab.audited()
    assert b'\n{"kind":"call","id":"01FORGED"' not in audit
    assert b'"id":"01FORGED"' not in audit


def metric_labels_by_callers(lab: Any) -> None:
    for number in range(30):
        _request(lab, b"/flood-%d/x" % number, b"X: y", method=b"GET")
    _request(lab, b"/inventory", method=b"PROPPATCH")
    metrics = lab.get("/-/metrics", "scraper").text
    assert "flood-" not in metrics
    assert "PROPPATCH" not in metrics
