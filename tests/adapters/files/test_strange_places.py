"""Servers that say what no FTP or SMB server says, and the words in which an FTP server tells of a file."""

from __future__ import annotations

import socket
import ssl
import threading

import pytest

from adapters.errors import Unavailable
from adapters.files.places import ftp as ftp_place
from adapters.files.places import ftp_client, smb
from adapters.files.places.config import Ftp, Smb
from adapters.files.places.ftp import FtpPlace
from adapters.files.places.place import Place, There
from adapters.files.places.smb import SmbPlace
from adapters.secret import Reference


@pytest.mark.parametrize(
    "said",
    [b"", b"220-", b"220 hello\r\n" * 3, b"\xff" * 20_000, b"220 hello\r\n500 no\r\n" * 9],
    ids=["silent", "half", "wrong", "long", "no"],
)
@pytest.mark.parametrize("kind", ["ftp", "smb"])
def test_a_strange_server_is_unavailable_in_time(kind: str, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ftp_client, "SECONDS", 1.0)
    monkeypatch.setattr(smb, "SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken: list[socket.socket] = []

        def serve() -> None:
            connection, _ = listening.accept()
            taken.append(connection)
            connection.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        common = {
            "host": "127.0.0.1",
            "port": listening.getsockname()[1],
            "user": "u",
            "password": Reference("password", "env:P"),
        }
        place: Place = (
            SmbPlace(Smb.model_validate({**common, "share": "far"}))
            if kind == "smb"
            else FtpPlace(Ftp.model_validate({**common, "unencrypted": True}), ssl.create_default_context())
        )
        with pytest.raises(Unavailable):
            place.files([""], bool)
        thread.join()
        for each in taken:
            each.close()


def test_moments_are_those_of_the_server_in_utc() -> None:
    assert ftp_client.seconds("20270115080000") == ftp_client.seconds("20270115080000.999") == 1_800_000_000
    with pytest.raises(ValueError, match="does not match"):
        ftp_client.seconds("yesterday")
    assert ftp_place._there("type=file;size=3;modify=20270115080000;") == There(3, 1_800_000_000.0)
    for told in ("type=dir;size=3;modify=20270115080000;", "type=OS.unix=slink:/x;size=3;modify=1;", "size=3", ""):
        assert ftp_place._there(told) is None
