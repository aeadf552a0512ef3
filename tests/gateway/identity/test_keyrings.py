"""Keyrings: what rotates, what still verifies, and who learns of it."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.identity import signing
from gateway.identity.keyrings import Keyrings
from gateway.identity.signing import LIVES, KeyFileError, Keyring, ring_names


def test_after_a_rotation_a_new_key_signs_and_the_old_one_verifies(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path, "pepper")
    old = ring.current
    new = ring.rotate()
    assert ring.current == new != old
    assert ring.keys == (new, old)
    assert [ring.by_id(each.id) for each in (old, new)] == [old, new]
    assert ring.by_id("00000000") is None
    assert Keyring.open(tmp_path, "pepper").keys == (new, old)
    assert (tmp_path / "pepper.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["pepper.json"]


def test_a_cursors_key_verifies_for_a_day_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Keyring.open(tmp_path, "cursor")
    old = ring.current
    ring.rotate()
    later = time.time() + LIVES["cursor"] - 60
    monkeypatch.setattr(signing.time, "time", lambda: later)
    assert ring.by_id(old.id) == old
    later += 120
    assert ring.by_id(old.id) is None
    assert len(ring.keys) == 1
    ring.rotate()
    assert old.id not in (tmp_path / "cursor.json").read_text()


def test_a_pepper_verifies_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Keyring.open(tmp_path, "pepper")
    old = ring.current
    ring.rotate()
    monkeypatch.setattr(signing.time, "time", lambda: 9e9)
    assert ring.by_id(old.id) == old


def test_a_file_with_one_key_becomes_a_ring(tmp_path: Path) -> None:
    path = tmp_path / "cursor.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"id": "0badcafe", "key": "A" * 43 + "="}))
    assert Keyring.open(tmp_path, "cursor").current.id == "0badcafe"
    assert json.loads(path.read_text()) == {"keys": [{"id": "0badcafe", "key": "A" * 43 + "=", "retired": None}]}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ['{"keys": []}', '{"keys": 7}', '{"keys": [{"id": "x"}]}'])
def test_a_ring_that_holds_none_is_told_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cursor.json"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(KeyFileError, match="doesn't hold a key"):
        Keyring.open(tmp_path, "cursor")


def test_rotations_at_once_lose_none(tmp_path: Path) -> None:
    rings = [Keyring.open(tmp_path, "pepper") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda ring: ring.rotate().id, rings))
    assert {key.id for key in Keyring.open(tmp_path, "pepper").keys} == {*made, *(k.id for k in rings[0].keys)}
    assert len(Keyring.open(tmp_path, "pepper").keys) == 9


def test_rings_read_again_know_what_another_process_rotated(tmp_path: Path) -> None:
    rings = Keyrings(tmp_path)
    ring = rings["cursor"]
    new = Keyring.open(tmp_path, "cursor").rotate()
    assert ring.current != new
    rings.reload()
    assert ring.current == new
    assert rings["cursor"] is ring
    assert ring_names(tmp_path) == ["cursor"]
