"""Client certificates by way of a proxy: believed from trusted addresses only, and only as one principal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import ModuleType

import pytest
from cryptography import x509
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.identity import certificates
from gateway.identity.certificates import Certificates
from gateway.routing.identity import Proxy

# How fast a busy machine is decides no test.
UNHURRIED = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


def reader(**options: object) -> Certificates:
    return Certificates(Proxy.model_validate({"trusted": ["10.0.0.0/24", "::1/128"], **options}))


def test_a_certificate_from_a_trusted_proxy_names_the_principal(certifying: ModuleType) -> None:
    principal = reader(roles=["service"]).principal("10.0.0.7", certifying.field(certifying.certificate()))
    assert principal is not None
    assert (principal.id, principal.roles, principal.credential) == ("alice", ("service",), "certificate:c0ffee")


def test_one_that_was_seen_before_is_the_same_principal(certifying: ModuleType) -> None:
    certificates = reader()
    first = certificates.principal("10.0.0.7", certifying.field(certifying.certificate()))
    assert first is not None
    assert certificates.principal("10.0.0.8", certifying.field(certifying.certificate())).id == "alice"  # type: ignore[union-attr]
    header = certifying.field(certifying.certificate())
    assert certificates.principal("::1", header) is certificates.principal("::ffff:10.0.0.9", header)


@pytest.mark.parametrize("peer", ["10.0.1.7", "127.0.0.1", "::2", "", None, "unix:", "10.0.0.7.evil", "10.0.0.7, ::1"])
def test_from_anyone_else_it_proves_nothing(certifying: ModuleType, peer: str | None) -> None:
    assert reader().principal(peer, certifying.field(certifying.certificate())) is None


RULES: list[tuple[str, x509.GeneralName, str]] = [
    ("uri", x509.UniformResourceIdentifier("spiffe://example.org/billing"), "spiffe://example.org/billing"),
    ("dns", x509.DNSName("billing.example.org"), "billing.example.org"),
    ("email", x509.RFC822Name("alice@example.org"), "alice@example.org"),
]


@pytest.mark.parametrize(("rule", "name", "id"), RULES)
def test_the_rule_says_which_name_counts(certifying: ModuleType, rule: str, name: x509.GeneralName, id: str) -> None:
    everything = [each for _, each, _ in RULES]
    principal = reader(principal=rule).principal("10.0.0.7", certifying.field(certifying.certificate(names=everything)))
    assert principal is not None
    assert principal.id == id
    assert reader(principal=rule).principal("10.0.0.7", certifying.field(certifying.certificate())) is None
    twice = [name, type(name)("other.example.org")]  # type: ignore[call-arg]
    assert reader(principal=rule).principal("10.0.0.7", certifying.field(certifying.certificate(names=twice))) is None


@pytest.mark.parametrize("names", [(), ("alice", "admin"), ("ali\u200bce",), (" alice",), ("a\nb",)])
def test_a_subject_that_names_nobody_for_sure_proves_nothing(certifying: ModuleType, names: Sequence[str]) -> None:
    assert reader().principal("10.0.0.7", certifying.field(certifying.certificate(names))) is None


def test_it_counts_from_its_first_second_to_its_last(certifying: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates, header = reader(), certifying.field(certifying.certificate())
    valid = {-1: False, 0: True, certifying.ENDS.timestamp() - certifying.BEGINS.timestamp() - 1: True}
    valid[certifying.ENDS.timestamp() - certifying.BEGINS.timestamp()] = False
    for seconds, counts in valid.items():
        monkeypatch.setattr(time, "time", lambda seconds=seconds: certifying.BEGINS.timestamp() + seconds)
        assert (certificates.principal("10.0.0.7", header) is not None) is counts


def test_the_field_is_the_one_that_was_named(certifying: ModuleType) -> None:
    header = {b"x-client-cert": certifying.field(certifying.certificate())[b"client-cert"]}
    assert reader(header="X-Client-Cert").principal("10.0.0.7", header) is not None
    assert reader().principal("10.0.0.7", header) is None


@pytest.mark.parametrize(
    "bend",
    [
        lambda value: value.strip(b":"),
        lambda value: value + b";a=1",
        lambda value: value + b", " + value,
        lambda value: b":" + value + b":",
        lambda value: value[:-8] + b":",
        lambda value: value.replace(b"M", b"!", 1),
        lambda value: b"",
        lambda value: b"::",
        lambda value: b":" + b"A" * 20_000 + b":",
    ],
)
def test_what_isnt_one_certificate_proves_nothing(certifying: ModuleType, bend: object) -> None:
    header = {b"client-cert": bend(certifying.field(certifying.certificate())[b"client-cert"])}  # type: ignore[operator]
    assert reader().principal("10.0.0.7", header) is None


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@example(b"\x01", 12, "uri")
@UNHURRIED
@given(st.binary(max_size=400), st.integers(0, 300), st.sampled_from(["common_name", "uri", "dns", "email"]))
def test_any_bytes_are_read_or_passed_over(certifying: ModuleType, noise: bytes, at: int, rule: str) -> None:
    der = certifying.certificate(names=[name for _, name, _ in RULES])
    for bent in (noise, der[:at] + noise + der[at + len(noise) :], der[:at]):
        principal = reader(principal=rule).principal("10.0.0.7", certifying.field(bent))
        assert principal is None or principal.id.isprintable()


def test_what_is_remembered_is_bounded(certifying: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "_REMEMBERED", 5)
    known = reader()
    for number in range(12):
        assert (
            known.principal(f"10.0.0.{number}", certifying.field(certifying.certificate((f"u{number}",)))) is not None
        )
    assert len(known._known) == 5
    assert len(known._trusted) <= 5
