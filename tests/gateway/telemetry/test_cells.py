"""The numbers that workers share: none is lost with its worker, none is counted twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.store.contract import StoreError
from gateway.telemetry.cells import Cells, total
from gateway.telemetry.series import is_kept

WORKER = """
import sys
from pathlib import Path
from gateway.telemetry.cells import Cells
cells = Cells.open(Path(sys.argv[1]), lambda key: True)
at = cells.block("figway_a_total", 1)
for _ in range(1000):
    cells.numbers[at] += 1
print("counted", flush=True)
sys.stdin.read()
"""


def summed(folder: Path, key: str) -> float:
    found = total(folder)
    return sum(part.get(key, [0.0])[0] for part in (found.ended, *found.living))


def test_what_a_killed_worker_counted_stays(tmp_path: Path) -> None:
    for round in range(1, 4):
        with subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as worker:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "counted\n"
            assert len(total(tmp_path).living) == 1
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        assert total(tmp_path).living == ()
        assert summed(tmp_path, "figway_a_total") == 1000 * round
    cells = Cells.open(tmp_path, is_kept)
    assert summed(tmp_path, "figway_a_total") == 3000
    assert len(list(tmp_path.glob("worker-*"))) == 1
    cells.close()


def test_a_gauge_goes_with_its_worker(tmp_path: Path) -> None:
    first = Cells.open(tmp_path, is_kept)
    first.numbers[first.block("figway_workers", 1)] = 1
    first.numbers[first.block("figway_b_total", 1)] = 5
    first.close()
    second = Cells.open(tmp_path, is_kept)
    assert summed(tmp_path, "figway_b_total") == 5
    assert total(tmp_path).ended.keys() == {"figway_b_total"}
    second.close()


def test_a_crash_while_files_are_taken_in_counts_nothing_twice(tmp_path: Path) -> None:
    first = Cells.open(tmp_path, is_kept)
    first.numbers[first.block("figway_b_total", 1)] = 5
    first.close()
    (left,) = tmp_path.glob("worker-*")
    content = left.read_bytes()
    Cells.open(tmp_path, is_kept).close()
    # As if the process had ended before it removed what it had taken in.
    left.write_bytes(content)
    assert summed(tmp_path, "figway_b_total") == 5
    Cells.open(tmp_path, is_kept).close()
    assert summed(tmp_path, "figway_b_total") == 5
    assert not left.exists()


keys = st.text(min_size=1, max_size=40).filter(lambda text: not text.startswith("taken:"))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.dictionaries(keys, st.lists(st.integers(0, 2**40).map(float), min_size=1, max_size=20)), max_size=3))
def test_every_key_and_number_survives_its_worker(workers: list[dict[str, list[float]]]) -> None:

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected: dict[str, list[float]] = {}
        for series in workers:
            cells = Cells.open(folder, lambda key: True)
            for key, numbers in series.items():
                at = cells.block(key, len(numbers))
                assert cells.block(key, len(numbers)) == at
                cells.numbers[at : at + len(numbers)] = memoryview(bytearray(8 * len(numbers))).cast("d")
                for offset, number in enumerate(numbers):
                    cells.numbers[at + offset] = number
                known = expected.get(key)
                same = known is not None and len(known) == len(numbers)
                expected[key] = [a + b for a, b in zip(known or (), numbers, strict=True)] if same else numbers
            cells.close()
        last = Cells.open(folder, lambda key: True)
        assert total(folder).ended == expected
        last.close()


def test_a_full_file_takes_no_more_and_harms_nothing(tmp_path: Path) -> None:
    cells = Cells.open(tmp_path, is_kept, capacity=4096)
    places = {key: cells.block(key, 1) for key in (f"figway_{number}_total" for number in range(200))}
    cells.numbers[places["figway_0_total"]] = 7
    cells.numbers[places["figway_199_total"]] = 9
    assert total(tmp_path).living[0]["figway_0_total"] == [7]
    assert "figway_199_total" not in total(tmp_path).living[0]
    cells.close()


@pytest.mark.parametrize("content", [b"", b"x" * 63, b"\0" * 64, os.urandom(512)])
def test_a_file_that_isn_t_one_counts_for_nothing(tmp_path: Path, content: bytes) -> None:
    Cells.open(tmp_path, is_kept).close()
    (tmp_path / "worker-strange").write_bytes(content)
    (tmp_path / "retired").write_bytes(content)
    assert total(tmp_path).ended.get("figway_a_total") is None
    Cells.open(tmp_path, is_kept).close()


def test_a_folder_that_can_t_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("a file")
    with pytest.raises(StoreError, match="can't be kept"):
        Cells.open(tmp_path / "metrics", is_kept)
