"""Files at FTP and SMB servers: ProFTPD over TLS, with and without its listing of facts, and Samba."""

from __future__ import annotations

import getpass
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from beside import beside

from adapters.contract import Context
from adapters.errors import ConfigError, Conflict, Unavailable, UnknownOutcome
from adapters.files.adapter import FilesAdapter
from adapters.files.places.config import Ftp, Smb
from adapters.files.places.ftp import FtpPlace, trust
from adapters.files.places.place import Place, There
from adapters.secret import Reference

Contexts = Callable[..., Context]
Start = Callable[..., FilesAdapter]
At = Callable[..., dict[str, Any]]


_servers = beside(__file__, "place_servers")
_SECRET = {"user": getpass.getuser(), "password": Reference(_servers.PASSWORD, "env:P")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Samba shares, and where the folders of all tests are."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def far_folder(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, str], dict[str, Any]]]:
    """`far_folder(kind, name)`: the configuration of a place; servers are started when they are first asked for."""
    pem = _servers.certificate([])
    with ExitStack() as stack:
        ports: dict[str, int] = {}

        def server(kind: str) -> int:
            own = tmp_path_factory.mktemp(kind.replace(" ", "-"))
            if kind == "smb":
                return int(stack.enter_context(_servers.smb_server(own, folder)))
            more = "FactsAdvertise off\n" if kind == "ftp, names only" else ""
            return int(stack.enter_context(_servers.ftp_server(own, None if kind == "plain ftp" else pem, more)))

        def place(kind: str, name: str) -> dict[str, Any]:
            port = ports[kind] = ports.get(kind) or server(kind)
            common = {"host": "127.0.0.1", "port": port, **_SECRET}
            if kind == "smb":
                return {"smb": {**common, "share": "far", "path": name}}
            tls = (
                {"unencrypted": True} if kind == "plain ftp" else {"tls": {"ca": Reference(pem[0].decode(), "env:CA")}}
            )
            return {"ftp": {**common, "path": str(folder / name), **tls}}

        yield place


KINDS = ("ftp", "ftp, names only", "smb")


@pytest.fixture
def at(far_folder: Callable[[str, str], dict[str, Any]], folder: Path, request: pytest.FixtureRequest) -> At:
    """`at(kind)`: the place of this test, an empty folder."""
    name = "".join(char if char.isalnum() else "-" for char in request.node.name)
    (folder / name / "in").mkdir(parents=True)
    return lambda kind: far_folder(kind, name)


@pytest.fixture
def far(folder: Path, request: pytest.FixtureRequest) -> Path:
    """The same folder, from this side."""
    return folder / "".join(char if char.isalnum() else "-" for char in request.node.name)


def _reach(place: dict[str, Any]) -> Place:
    if "smb" in place:
        from adapters.files.places.smb import SmbPlace

        return SmbPlace(Smb.model_validate(place["smb"]))
    config = Ftp.model_validate(place["ftp"])
    return FtpPlace(config, trust(config, {}))


async def _skus(adapter: FilesAdapter, context: Context) -> list[str]:
    assert (await adapter.probe(context)).ok
    return [item["sku"] for item in (await adapter.invoke("stock.list", {}, context)).value["items"]]


@pytest.mark.parametrize("kind", KINDS)
async def test_records_there_are_read_and_written(
    kind: str, at: At, far: Path, start: Start, context: Contexts
) -> None:
    (far / "stock.csv").write_text("sku,qty\nA,1\n")
    (far / "in/S-D.csv").mkdir()
    os.utime(far / "stock.csv", (1_800_000_000, 1_800_000_000))
    adapter = start(at(kind))
    await _skus(adapter, context(30))  # what may be growing must look the same twice
    assert await _skus(adapter, context(30)) == ["A"]
    got = await adapter.invoke("stock.get", {"sku": "A"}, context(30))
    assert got.as_of.timestamp() == 1_800_000_000
    await adapter.invoke("stock.append", {"sku": "B", "qty": 2}, context(30))
    assert (far / "in/S-B.csv").read_bytes() == b"sku,qty\r\nB,2\r\n"
    assert await _skus(adapter, context(30)) == ["A", "B"]
    with pytest.raises(Conflict):
        await start(at(kind), "other").invoke("stock.append", {"sku": "B", "qty": 3}, context(30))
    assert (far / "in/S-B.csv").read_bytes() == b"sku,qty\r\nB,2\r\n"
    await adapter.invoke("stock.replace", {"items": [{"sku": "C", "qty": 3}]}, context(30))
    assert (far / "stock.csv").read_bytes() == b"sku,qty\r\nC,3\r\n"
    assert await _skus(adapter, context(30)) == ["B", "C"]
    (far / "in/S-B.csv").unlink()
    await _skus(adapter, context(30))  # what isn't found must not be found twice
    assert await _skus(adapter, context(30)) == ["C"]
    assert sorted(os.listdir(far) + os.listdir(far / "in")) == ["S-D.csv", "in", "stock.csv"]


@pytest.mark.parametrize("kind", KINDS)
def test_another_version_than_was_listed_is_no_copy(kind: str, at: At, far: Path, tmp_path: Path) -> None:
    for name in ("f", "-R", "ä ü.csv", "a&b;c.csv", "%00"):
        (far / name).write_bytes(name.encode() * 300_000)
        os.utime(far / name, (1_800_000_000, 1_800_000_000))
    (far / b"\xff.csv".decode("utf-8", "surrogateescape")).write_bytes(b"no UTF-8")
    place, local = _reach(at(kind)), tmp_path / "local"
    found = {
        path: there for path, there in place.files(["", "in", "none", "none/of/these"], bool).items() if there.size > 8
    }
    there = There(300_000, 1_800_000_000.0)
    assert found["f"] == there
    assert sorted(found) == sorted(("f", "-R", "ä ü.csv", "a&b;c.csv", "%00"))
    wanted = {path: (each, tmp_path / f"copy-{number}") for number, (path, each) in enumerate(found.items())}
    assert place.fetch(wanted) == set(found)
    assert all(copy.read_bytes() == path.encode() * 300_000 for path, (_, copy) in wanted.items())
    for other in (There(299_999, there.modified), There(300_001, there.modified), There(300_000, 1.0)):
        # what is no copy keeps no other from being one
        assert place.fetch({"-R": wanted["-R"], "f": (other, local), "%00": wanted["%00"]}) == {"-R", "%00"}
    assert place.fetch({"gone": (there, local)}) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_many_writers_has_the_name(kind: str, at: At, far: Path) -> None:
    place, done = _reach(at(kind)), []

    def write(number: int) -> None:
        try:
            place.write("in/one", b"%d" % number * 100_000, over=False)
        except (Conflict, Unavailable):  # a name that another reserves just now is said to be so
            return
        done.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
    assert (far / "in/one").read_bytes() == b"%d" % done[0] * 100_000
    assert [path.name for path in (far / "in").iterdir()] == ["one"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_server_refuses_is_said(kind: str, at: At) -> None:
    config = at(kind)
    (name,) = config
    wrong = {**config[name], "password": Reference("wrong-password", "env:W")}
    with pytest.raises(Unavailable, match="refused the gateway's credentials"):
        _reach({name: wrong}).files([""], bool)
    with pytest.raises(Unavailable, match="couldn't be reached"):
        _reach({name: {**config[name], "port": 1}}).files([""], bool)
    with pytest.raises(Unavailable, match=r"can't be entered|refused what was asked"):
        _reach({name: {**config[name], "path": "no/such"}}).files([""], bool)
    with pytest.raises(Unavailable):
        _reach(config).write("none/f", b"x", over=True)


@pytest.mark.parametrize("kind", ["ftp", "smb"])
async def test_a_server_that_was_started_anew_is_reached_again(
    kind: str, folder: Path, tmp_path: Path, start: Start, context: Contexts
) -> None:
    far = folder / f"again-{kind}"
    far.mkdir()
    (far / "stock.csv").write_text("sku,qty\nA,1\n")
    port = _servers.free_port()
    common = {"host": "127.0.0.1", "port": port, **_SECRET}
    if kind == "ftp":
        server = lambda: _servers.ftp_server(tmp_path / "server", None, port=port)  # noqa: E731
        adapter = start({"ftp": {**common, "path": str(far), "unencrypted": True}})
    else:
        server = lambda: _servers.smb_server(tmp_path / "server", folder, port=port)  # noqa: E731
        adapter = start({"smb": {**common, "share": "far", "path": far.name}})
    with server():
        await _skus(adapter, context(30))
        assert await _skus(adapter, context(30)) == ["A"]
    assert not (await adapter.probe(context(30))).ok
    with server():
        assert await _skus(adapter, context(30)) == ["A"]


def test_a_certificate_of_another_name_or_authority_is_refused(at: At, tmp_path: Path) -> None:
    config = at("ftp")["ftp"]
    stranger = Reference(_servers.certificate([])[0].decode(), "env:CA")
    for tls in ({"tls": {"ca": stranger}}, {"tls": None}):
        with pytest.raises(Unavailable, match="isn't one to trust"):
            _reach({"ftp": {**config, **tls}}).files([""], bool)
    pem = _servers.certificate(["files.example.com"])
    with _servers.ftp_server(tmp_path / "other", pem) as port:
        named = {**config, "port": port, "tls": {"ca": Reference(pem[0].decode(), "env:CA")}}
        with pytest.raises(Unavailable, match="isn't one to trust"):
            _reach({"ftp": named}).files([""], bool)
    with pytest.raises(ConfigError) as wrong:
        _reach({"ftp": {**config, "tls": {"ca": Reference("no certificate", "env:CA")}}})
    assert wrong.value.problems[0].where == "/place/ftp/tls/ca"


def test_a_server_without_tls_never_hears_the_password(at: At) -> None:
    config = {key: value for key, value in at("plain ftp")["ftp"].items() if key != "unencrypted"}
    with pytest.raises(Unavailable, match="knows no TLS; nothing was sent"):
        _reach({"ftp": config}).files([""], bool)


def test_a_share_that_does_not_encrypt_is_left_unless_that_is_said(folder: Path, tmp_path: Path) -> None:
    with _servers.smb_server(tmp_path / "server", folder, "smb encrypt = off\n") as port:
        config = {"host": "127.0.0.1", "port": port, "share": "far", **_SECRET}
        with pytest.raises(Unavailable, match="no encrypted session"):
            _reach({"smb": config}).files([""], bool)
        _reach({"smb": {**config, "unencrypted": True}}).files([""], bool)


def test_a_guest_is_nobody(folder: Path, tmp_path: Path) -> None:
    with _servers.smb_server(tmp_path / "server", folder, "map to guest = bad user\n") as port:
        stranger = {"host": "127.0.0.1", "port": port, "share": "far", **_SECRET, "user": "nobody-knows-me"}
        for unencrypted in (False, True):
            with pytest.raises(Unavailable, match="only as a guest"):
                _reach({"smb": {**stranger, "unencrypted": unencrypted}}).files([""], bool)


def test_what_a_killed_writer_reserved_is_free_when_it_is_old(at: At, far: Path) -> None:
    place, sign = _reach(at("ftp")), far / "in/.figway-one.reserved"
    sign.mkdir()
    with pytest.raises(Unavailable, match="another writes it now"):
        place.write("in/one", b"1", over=False)
    os.utime(sign, (1_700_000_000, 1_700_000_000))
    place.write("in/one", b"1", over=False)
    assert [path.name for path in (far / "in").iterdir()] == ["one"]


@pytest.mark.parametrize(("cut", "unknown"), [(b"RNTO", True), (b"RNFR", False), (b"STOR", False)], ids=str)
def test_a_write_whose_answer_is_lost_is_unknown(cut: bytes, unknown: bool, at: At, far: Path) -> None:
    config = at("plain ftp")["ftp"]
    between = _servers.Between(config["port"], cut)
    try:
        with pytest.raises(UnknownOutcome if unknown else Unavailable):
            _reach({"ftp": {**config, "port": between.port}}).write("f", b"x", over=True)
    finally:
        between.close()
    assert (far / "f").exists() is unknown
