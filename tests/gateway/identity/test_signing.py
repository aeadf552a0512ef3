"""The gateway's own secret keys, when several processes start at once, and when a file isn't what it should be."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.identity.signing import KeyFileError, Keyring

_LOAD = """
import sys
from pathlib import Path
from gateway.identity.signing import Keyring
print("ready", flush=True)
sys.stdin.readline()
key = Keyring.open(Path("keys"), "cursor").current
print(key.id, key.secret.hex())
"""


def test_a_key_is_made_once(tmp_path: Path) -> None:
    key = Keyring.open(tmp_path / "keys", "cursor").current
    assert len(key.secret) == 32
    assert Keyring.open(tmp_path / "keys", "cursor").current == key
    assert Keyring.open(tmp_path / "keys", "pepper").current.secret != key.secret


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    Keyring.open(tmp_path / "keys", "cursor")
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "keys", tmp_path / "keys" / "cursor.json")]
    assert modes == [0o700, 0o600]


def test_the_secret_doesnt_show_when_printed(tmp_path: Path) -> None:
    key = Keyring.open(tmp_path, "cursor").current
    assert repr(key) == f"SigningKey(id='{key.id}')"


def test_processes_that_start_at_once_get_one_key(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _LOAD]
    processes = [
        subprocess.Popen(command, cwd=tmp_path, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        answers = {process.communicate(timeout=60)[0] for process in processes}
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert len(answers) == 1
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["cursor.json"]


def test_threads_that_start_at_once_get_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda name: Keyring.open(tmp_path, name).current, ["a", "b"] * 40))
    assert len(set(keys)) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "doesn't hold a key"),
        ("[]", "doesn't hold a key"),
        ('{"id": "x"}', "doesn't hold a key"),
        ('{"id": "x", "key": 7}', "doesn't hold a key"),
        (json.dumps({"id": "x", "key": "AAAA"}), "3 bytes; it must be 32"),
    ],
)
def test_a_file_that_isnt_a_key_is_told_in_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "cursor.json"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(KeyFileError, match=says) as told:
        Keyring.open(tmp_path, "cursor")
    assert str(path) in str(told.value)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    Keyring.open(tmp_path, "cursor")
    (tmp_path / "cursor.json").chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        Keyring.open(tmp_path, "cursor")


def test_a_folder_that_cant_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    with pytest.raises(KeyFileError, match="can't be read or made"):
        Keyring.open(tmp_path / "keys", "cursor")
