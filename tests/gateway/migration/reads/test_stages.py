"""Who answers a read, at every stage, over HTTP, as the reply says it and as the upstreams saw it."""

from __future__ import annotations

import time
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from gateway.identity.signing import Keyring
from gateway.migration.bucket import bucket
from gateway.migration.override import signed

SHARES = {"still": 0, "shaded": 0, "some": 300_000, "most": 800_000, "moved": 10**6, "gone": 10**6}
ORDER = {"still": 0, "shaded": 1, "some": 2, "most": 3, "moved": 4, "gone": 5}


def side_of(answer: httpx.Response) -> str:
    return answer.headers["figway-served-by"]


def label_of(side: str) -> str:
    return "old" if side == "legacy" else "new"


def asked(folder: Path, sku: str) -> dict[str, int]:
    """How often each upstream was asked for a thing."""
    return {
        name: (folder / f"{name}.txt").read_text().splitlines().count(sku) if (folder / f"{name}.txt").exists() else 0
        for name in ("old", "new")
    }


@pytest.mark.parametrize("group", SHARES)
def test_each_stage_serves_its_share_of_buckets_from_the_replacement(gateway: Any, folder: Path, group: str) -> None:
    with gateway.client(gateway.reader) as client:
        answers = {f"{group}-{number}": client.get(f"/{group}/{group}-{number}") for number in range(60)}
    for sku, answer in answers.items():
        assert answer.status_code == 200, answer.text
        expected = "replacement" if bucket(group, group, sku) < SHARES[group] else "legacy"
        assert side_of(answer) == expected
        assert answer.json()["name"] == label_of(expected)
        # The upstreams saw exactly what the replies say.
        assert asked(folder, sku) == {"old": int(expected == "legacy"), "new": int(expected == "replacement")}
    if group in ("some", "most"):
        assert {side_of(each) for each in answers.values()} == {"legacy", "replacement"}


@pytest.mark.parametrize("group", ["some", "most", "moved"])
def test_a_failure_says_whose_it_is_and_the_other_side_is_not_asked(gateway: Any, folder: Path, group: str) -> None:
    with gateway.client(gateway.reader) as client:
        for number in range(12):
            sku = f"{group}-refused-{number}"
            answer = client.get(f"/{group}/{sku}", params={"error": "DoNotRetry"})
            side = "replacement" if bucket(group, group, sku) < SHARES[group] else "legacy"
            assert (answer.status_code, side_of(answer)) == (422, side)
            assert asked(folder, sku)["new" if side == "legacy" else "old"] == 0


def test_cohorts_go_before_buckets_where_both_sides_serve(gateway: Any, running: ModuleType, folder: Path) -> None:
    for principal, side in (("carla", "replacement"), ("conrad", "legacy")):
        key = running.create_key(folder, "reader", principal=principal)
        with gateway.client(key) as client:
            for group in SHARES:
                sides = {side_of(client.get(f"/{group}/{principal}-{number}")) for number in range(8)}
                if group in ("some", "most"):
                    assert sides == {side}
                else:
                    assert sides == {"replacement" if SHARES[group] else "legacy"}


def test_a_signed_word_goes_before_all_and_is_good_for_its_group_and_principal_only(
    gateway: Any, running: ModuleType, folder: Path
) -> None:
    ring, soon = Keyring.open(folder / ".figway" / "keys", "side"), int(time.time()) + 600
    with gateway.client(gateway.reader) as client:
        for group in ("some", "most"):
            for side in ("legacy", "replacement"):
                word = signed(side, group, "alice", soon, ring)
                sides = {
                    side_of(client.get(f"/{group}/word-{number}", headers={"figway-side": word})) for number in range(6)
                }
                assert sides == {side}
        bad = {
            "another group's": signed("replacement", "most", "alice", soon, ring),
            "another principal's": signed("replacement", "some", "wendy", soon, ring),
            "over": signed("replacement", "some", "alice", int(time.time()) - 2, ring),
            "changed": signed("legacy", "some", "alice", soon, ring).replace("legacy", "replacement"),
            "longer": signed("legacy", "some", "alice", soon, ring).replace(f";{soon};", f";{soon + 9};"),
            "not one": "replacement",
            "empty": "",
            "of digits that aren't": f"replacement;²;{'0' * 64}",
        }
        for what, word in bad.items():
            answer = client.get("/some/x", headers={"figway-side": word.encode("latin-1")})
            assert (answer.status_code, answer.json()["type"]) == (400, "urn:figway:problem:bad-request"), what
        # Where one side serves alone a word changes nothing.
        word = signed("replacement", "still", "alice", soon, ring)
        assert side_of(client.get("/still/x", headers={"figway-side": word})) == "legacy"
        word = signed("legacy", "gone", "alice", soon, ring)
        assert side_of(client.get("/gone/x", headers={"figway-side": word})) == "replacement"


def test_a_list_goes_on_where_it_was_begun(gateway: Any, running: ModuleType, folder: Path) -> None:
    ring, soon = Keyring.open(folder / ".figway" / "keys", "side"), int(time.time()) + 600
    with gateway.client(gateway.reader) as client:
        for begun, other in (("legacy", "replacement"), ("replacement", "legacy")):
            first = client.get("/some?limit=2", headers={"figway-side": signed(begun, "some", "alice", soon, ring)})
            word = signed(other, "some", "alice", soon, ring)
            for headers in ({}, {"figway-side": word}):
                page = client.get(first.json()["next"], headers=headers)
                assert side_of(page) == begun
                assert [item["sku"] for item in page.json()["items"]] == ["S-0002", "S-0003"]
            # Whose a cursor is can't be changed.
            text = first.json()["next"]
            forged = (
                text.replace("cursor=r.", "cursor=") if "cursor=r." in text else text.replace("cursor=", "cursor=r.")
            )
            assert forged != text
            assert client.get(forged).status_code == 400
        moved = client.get("/moved?limit=2").json()["next"]
        assert side_of(client.get(moved)) == "replacement"
        still = client.get("/still?limit=2").json()["next"]
        assert side_of(client.get(still)) == "legacy"


def test_the_retired_side_is_called_by_nobody(gateway: Any, folder: Path) -> None:
    before = (folder / "old.txt").read_text().count("\n") if (folder / "old.txt").exists() else 0
    with gateway.client(gateway.reader) as client:
        for number in range(30):
            assert side_of(client.get(f"/gone/nobody-{number}")) == "replacement"
        assert side_of(client.get("/gone?limit=1")) == "replacement"
    assert (folder / "old.txt").read_text().count("\n") == before
