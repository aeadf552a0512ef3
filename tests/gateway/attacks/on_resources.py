"""What callers may use up: connections, time, memory, files, tasks."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, suppress
from typing import Any


def _connected(lab: Any) -> socket.socket:
    return socket.create_connection(("127.0.0.1", lab.gateway.port), timeout=10)


def _get(lab: Any, path: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n\r\n" % (path, lab.keys["agent"].encode())


def _handles(lab: Any) -> int:
    return int(lab.watching.handles(lab.gateway.process.pid))


def connections_that_say_nothing(lab: Any) -> None:
    before = _handles(lab)
    with ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(_connected(lab))
        lab.mark()
    lab.watching.until(lambda: _handles(lab) <= before + 10)


def heads_that_drip(lab: Any) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(_connected(lab)) for _ in range(150)]
        for piece in (b"GET /inventory HTTP/1.1\r\n", b"Host: x\r\n", b"X-A: b\r\n"):
            for each in slow:
                each.sendall(piece)
        lab.mark()


def bodies_that_drip(lab: Any) -> None:
    head = b"POST /tasks HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n"
    head += b"Content-Type: application/json\r\nContent-Length: 500\r\n\r\n"
    with ExitStack() as stack:
        slow = [stack.enter_context(_connected(lab)) for _ in range(100)]
        for each in slow:
            each.sendall(head % lab.keys["agent"].encode() + b"{")
        lab.mark()
        # The deadline, 4 s, ends them all.
        answer = slow[0].recv(4096)
        assert b" 408 " in answer or not answer


def answers_that_nobody_reads(lab: Any) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            deaf = stack.enter_context(_connected(lab))
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            with suppress(BlockingIOError, ConnectionError):
                for _ in range(400):
                    deaf.send(_get(lab, b"/inventory?limit=200"))
        time.sleep(0.2)
        lab.mark()


def callers_that_leave(lab: Any) -> None:
    before = _handles(lab)
    for _ in range(150):
        with _connected(lab) as leaving:
            leaving.sendall(_get(lab, b"/wait/2"))
    lab.mark()
    lab.watching.until(lambda: _handles(lab) <= before + 10)


def connections_that_are_reset(lab: Any) -> None:
    for _ in range(200):
        with _connected(lab) as leaving:
            leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            leaving.sendall(_get(lab, b"/inventory?limit=5"))


def requests_in_a_row(lab: Any) -> None:
    sku = lab.samples["sku"].encode()
    with _connected(lab) as connection:
        request = _get(lab, b"/inventory/" + sku)
        with suppress(ConnectionError):
            connection.sendall(request * 2_000)
        lab.mark()


def calls_at_once(lab: Any) -> None:
    answers: list[bytes] = []

    def ask() -> None:
        with _connected(lab) as connection:
            connection.sendall(_get(lab, b"/wait/0.4"))
            answers.append(connection.recv(4096)[9:12])

    threads = [threading.Thread(target=ask) for _ in range(120)]
    for each in threads:
        each.start()
    lab.mark()
    for each in threads:
        each.join()
    assert set(answers) <= {b"200", b"429", b"503"}


def routes_that_are_none(lab: Any) -> None:
    """Paths that nobody has are not kept: neither in metrics nor in memory."""
    with _connected(lab) as connection:
        for number in range(1_500):
            connection.sendall(_get(lab, b"/none/%d/%b" % (number, b"x" * 500)))
            connection.recv(65_536)


def one_time_keys(lab: Any) -> None:
    for number in range(40):
        lab.post("/notes", {"sku": f"n{number}"}, headers={"idempotency-key": f'"once-{number}"'}, who="platform")


def deadline_of_a_write(lab: Any) -> None:
    response = lab.call("POST", "/notes", "platform", json={"sku": "w"}, headers={"prefer": "wait=0"})
    assert response.status_code in (200, 408, 503, 504)


def secrets_in_the_process_list(lab: Any) -> None:
    lines = lab.watching.command_lines()
    assert lab.watching.leaks(lines, lab.secrets) == []
    for pid in lab.watching.family(lab.gateway.process.pid):
        mode = lab.watching.mode(f"/proc/{pid}/environ")
        assert mode & 0o077 == 0, "others may read the process's environment"


def secrets_in_files(lab: Any) -> None:
    """What the gateway keeps can be read by nobody else, and holds no key or secret in clear."""
    state = lab.gateway.folder / ".figway"
    for path in [state, *state.rglob("*")]:
        if path.name.endswith(".lock") or path.name == "public-keys":
            continue
        if path == state or path.parent == state / "keys" or path.suffix == ".db":
            assert lab.watching.mode(path) & 0o077 == 0, path
    kept = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file() and path.parent != state / "keys")
    assert lab.watching.leaks(kept, lab.secrets) == []
