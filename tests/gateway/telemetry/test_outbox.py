"""What waits for a collector is bounded, whatever the collector does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import pytest

from gateway.telemetry.counters import counter
from gateway.telemetry.export import BadTelemetry, Export, Signals
from gateway.telemetry.families import DROPPED
from gateway.telemetry.lines import Line, Lines
from gateway.telemetry.outbox import BATCH, CAPACITY, Outbox
from gateway.telemetry.trace import current_trace

SECRET = "what a caller sent"


def dropped(signal: str) -> float:
    return counter(DROPPED.name, DROPPED.help, signal=signal).value


def test_what_doesn_t_fit_is_dropped_and_counted() -> None:
    taken, goes_on, sent = threading.Event(), threading.Event(), list[int]()

    def hang(batch: Sequence[int]) -> bool:
        taken.set()
        goes_on.wait(20)
        sent.extend(batch)
        return True

    before, outbox = dropped("t1"), Outbox[int]("t1", hang, every=0.01)
    outbox.put(0)
    assert taken.wait(20)
    for number in range(1, CAPACITY + 101):
        outbox.put(number)
    assert dropped("t1") - before == 100
    goes_on.set()
    outbox.close()
    assert sent == list(range(CAPACITY + 1))


def test_what_is_queued_is_sent_at_the_end_in_batches() -> None:
    batches: list[int] = []
    outbox = Outbox[int]("t2", lambda batch: not batches.append(len(batch)), every=3600)
    for number in range(BATCH - 1):
        outbox.put(number)
    assert batches == []
    outbox.close()
    assert batches == [BATCH - 1]


@pytest.mark.parametrize("failure", [False, OSError("no route")])
def test_a_batch_that_doesn_t_arrive_is_counted_and_the_next_one_is_tried(failure: bool | OSError) -> None:
    answers: list[bool | OSError] = [failure, True]
    sent: list[int] = []

    def send(batch: Sequence[int]) -> bool:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        sent.extend(batch if answer else ())
        return answer

    before, outbox = dropped("t3"), Outbox[int]("t3", send, every=3600)
    for number in range(2 * BATCH):
        outbox.put(number)
    outbox.close()
    assert dropped("t3") - before + len(sent) == 2 * BATCH
    assert sent


def test_a_line_has_its_call_s_trace_and_an_exception_s_type_only() -> None:
    lines: list[Line] = []
    logger = logging.getLogger("figway.test_lines")
    handler = Lines(lines.append)
    logger.addHandler(handler)
    logger.propagate = False
    token = current_trace.set("00-aa-bb-01")
    try:
        raise ValueError(SECRET)
    except ValueError:
        logger.exception("call %s failed", "C1")
        logger.error("%d isn't a number", "this")
    finally:
        current_trace.reset(token)
        logger.removeHandler(handler)
    assert [(each.text, each.trace) for each in lines] == [
        ("call C1 failed", "00-aa-bb-01"),
        ("%d isn't a number", "00-aa-bb-01"),
    ]
    assert lines[0].exception == "ValueError"
    assert "test_outbox.py" in lines[0].stack
    assert SECRET not in repr(lines)


def test_signals_follow_the_standard_variables() -> None:
    def signals(**environment: str) -> tuple[bool, bool, bool]:
        found = Signals.of(environment)
        return found.traces, found.logs, found.metrics

    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert signals() == (False, False, False)
    assert signals(**endpoint) == (True, True, True)
    assert signals(**endpoint, OTEL_LOGS_EXPORTER="none") == (True, False, True)
    assert signals(**endpoint, OTEL_SDK_DISABLED="true") == (False, False, False)
    assert signals(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="http://127.0.0.1:4318/v1/traces") == (True, False, False)
    assert Export.of({}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("OTEL_BSP_SCHEDULE_DELAY", "soon"), ("OTEL_METRIC_EXPORT_INTERVAL", "0"), ("OTEL_TRACES_SAMPLER", "mine")],
)
def test_what_can_t_be_meant_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadTelemetry, match=name):
        Export.of({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", name: value})
