"""Trace context, and which traces are sampled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.trace import child_of, continue_trace, is_sampled, parent_of, sampling, sampling_of

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-%b"


@pytest.fixture
def _restored() -> Iterator[None]:
    yield
    sampling.bound, sampling.follows, sampling.noting = 0, True, False


@pytest.mark.parametrize("flags", [b"00", b"01"])
def test_a_trace_goes_on_with_a_span_of_our_own(flags: bytes) -> None:
    outgoing = continue_trace(PARENT % flags)
    assert outgoing[:36] == "00-4bf92f3577b34da6a3ce929d0e0e4736-"
    assert outgoing[36:52] != "00f067aa0ba902b7"
    assert outgoing.endswith(flags.decode())
    assert is_sampled(outgoing) is (flags == b"01")
    assert parent_of(PARENT % flags) == "00f067aa0ba902b7"


@given(st.binary(max_size=80))
def test_what_isn_t_one_begins_a_trace(incoming: bytes) -> None:
    outgoing = continue_trace(incoming)
    assert len(outgoing) == 55
    assert not is_sampled(outgoing)
    assert parent_of(incoming) == ""


@pytest.mark.usefixtures("_restored")
def test_new_traces_are_sampled_by_their_ratio() -> None:
    sampling.bound, sampling.follows = sampling_of({})
    share = sum(is_sampled(continue_trace(None)) for _ in range(20_000)) / 20_000
    # Five standard deviations of a binomial distribution.
    assert abs(share - 0.05) < 0.008
    assert not is_sampled(continue_trace(PARENT % b"00"))
    assert is_sampled(continue_trace(PARENT % b"01"))


@pytest.mark.parametrize(
    ("name", "argument", "bound", "follows"),
    [
        ("", "", 0.05, True),
        ("always_on", "", 1, False),
        ("always_off", "", 0, False),
        ("parentbased_always_on", "", 1, True),
        ("traceidratio", "0.5", 0.5, False),
        ("parentbased_traceidratio", "1", 1, True),
    ],
)
def test_the_standard_samplers(name: str, argument: str, bound: float, follows: bool) -> None:
    found = sampling_of({"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument})
    assert found == (round(bound * 2**64), follows)


@pytest.mark.parametrize("argument", ["2", "-1", "half", "nan"])
def test_another_ratio_is_refused(argument: str) -> None:
    with pytest.raises(ValueError, match="OTEL_TRACES_SAMPLER_ARG"):
        sampling_of({"OTEL_TRACES_SAMPLER_ARG": argument})
    with pytest.raises(ValueError, match="jaeger_remote"):
        sampling_of({"OTEL_TRACES_SAMPLER": "jaeger_remote"})


def test_only_sampled_calls_have_spans_below() -> None:
    unsampled, sampled = continue_trace(None), continue_trace(PARENT % b"01")
    assert child_of(unsampled) is unsampled
    below = child_of(sampled)
    assert (below[:36], below[52:]) == (sampled[:36], sampled[52:])
    assert below[36:52] != sampled[36:52]
