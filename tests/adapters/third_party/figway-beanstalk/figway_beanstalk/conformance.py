"""figway's conformance suite on this adapter, against a real beanstalkd: `figway adapter check beanstalk`."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from adapters.testing import AdapterConformance, Sample, Subject


@contextmanager
def beanstalkd() -> Iterator[int]:
    """The port of a beanstalkd of our own, which is handed a socket that already listens (sd_listen_fds(3))."""
    program = shutil.which("beanstalkd")
    assert program, "beanstalkd is missing: install it with 'apt-get install beanstalkd'"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        script = 'exec 3<&"$1"; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0"'
        command = ["bash", "-c", script, program, str(listening.fileno())]
        server = subprocess.Popen(command, pass_fds=[listening.fileno()])
    try:
        yield port
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with beanstalkd() as port:
        yield port


@pytest.fixture(scope="module")
def subject(port: int) -> Subject:
    first, second = (asked(port, f"put 0 0 60 {len(body)}\r\n{body}") for body in ("first", "another"))

    def written() -> int:
        told = re.search(r"total-jobs: (\d+)", asked(port, "stats-tube made"))
        return int(told[1]) if told else 0

    for tube in ("a", "b", "c"):
        asked(port, f"use {tube}", "put 0 0 60 0\r\n")
    return Subject(
        kind="beanstalk",
        address=("127.0.0.1", port),
        config=lambda host, port: {"host": host, "port": port},
        reads=[Sample("job.get", {"id": int(each.split()[1])}) for each in (first, second)],
        listed=Sample("tube.list"),
        write=lambda number: Sample("job.put", {"tube": "made", "body": f"Job {number}"}),
        written=written,
        missing=Sample("job.get", {"id": 2**40}),
        invalid=Sample("job.put", {"tube": "no tube", "body": ""}),
    )


def asked(port: int, *commands: str) -> str:
    """What the server answers to the last command, said to it directly."""
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rwb") as talk:
        for command in commands:
            talk.write(command.encode() + b"\r\n")
            talk.flush()
            line: bytes = talk.readline()
        if line.startswith(b"OK "):
            return bytes(talk.read(int(line.split()[1]))).decode()
        return line.decode()


class TestConformance(AdapterConformance):
    """Every rule, on `subject`."""
