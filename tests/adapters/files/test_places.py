"""Files at other machines: OpenSSH's server, and S3's protocol as moto speaks it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import boto3
import pytest
from moto.server import ThreadedMotoServer
from pydantic import ValidationError

from adapters.contract import Context
from adapters.errors import ConfigError, Conflict, Unavailable
from adapters.files import KIND
from adapters.files.adapter import FilesAdapter
from adapters.files.folder import Pattern
from adapters.files.places.mirror import Mirror
from adapters.files.places.place import There
from adapters.files.places.sftp import SftpPlace
from adapters.secret import Reference

Contexts = Callable[..., Context]
Start = Callable[..., FilesAdapter]


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """OpenSSH's server on a free port, with the configuration of a place there."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert program, "OpenSSH's server is missing: install it with 'apt-get install openssh-server'"
    folder = tmp_path_factory.mktemp("sshd")
    Path("/run/sshd").mkdir(exist_ok=True)
    keys = {}
    for name in ("host", "user"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        (folder / name).write_bytes(key.export_private_key())
        (folder / name).chmod(0o600)
        keys[name] = key.export_public_key().decode().strip()
    (folder / "authorized").write_text(keys["user"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n"
    )
    server = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, "the SSH server ended"
            time.sleep(0.05)
        private = (folder / "user").read_text()
        user = os.environ.get("USER") or subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
        yield {
            "host": "127.0.0.1", "port": port, "user": user, "host_key": keys["host"],
            "private_key": Reference(private, "env:KEY"),
        }  # fmt: skip
    finally:
        server.terminate()
        server.wait()


async def _skus(adapter: FilesAdapter, context: Context) -> list[str]:
    assert (await adapter.probe(context)).ok
    return [item["sku"] for item in (await adapter.invoke("stock.list", {}, context)).value["items"]]


async def test_files_of_an_sftp_server(sshd: dict[str, Any], start: Start, tmp_path: Path, context: Contexts) -> None:
    far = tmp_path / "far"
    (far / "in").mkdir(parents=True)
    (far / "stock.csv").write_text("sku,qty\nA,1\n")
    (far / "in/S-L.csv").symlink_to(far / "stock.csv")
    (far / "in/S-D.csv").mkdir()
    os.utime(far / "stock.csv", (1_800_000_000, 1_800_000_000))
    adapter = start({"sftp": {**sshd, "path": str(far)}})
    await _skus(adapter, context(30))  # what may be growing must look the same twice
    assert await _skus(adapter, context(30)) == ["A"]
    got = await adapter.invoke("stock.get", {"sku": "A"}, context(30))
    assert got.as_of.timestamp() == 1_800_000_000
    await adapter.invoke("stock.append", {"sku": "B", "qty": 2}, context(30))
    assert (far / "in/S-B.csv").read_bytes() == b"sku,qty\r\nB,2\r\n"
    assert await _skus(adapter, context(30)) == ["A", "B"]
    with pytest.raises(Conflict):
        await start({"sftp": {**sshd, "path": str(far)}}, "other").invoke(
            "stock.append", {"sku": "B", "qty": 3}, context(30)
        )
    await adapter.invoke("stock.replace", {"items": [{"sku": "C", "qty": 3}]}, context(30))
    assert (far / "stock.csv").read_bytes() == b"sku,qty\r\nC,3\r\n"
    assert await _skus(adapter, context(30)) == ["B", "C"]
    # A job that publishes a record elsewhere and takes its file away: no look finds it in neither.
    (far / "stock.csv").write_text("sku,qty\nB,2\nC,3\n")
    (far / "in/S-B.csv").unlink()
    assert [await _skus(adapter, context(30)) for _ in range(3)] == [["B", "C"]] * 3
    (far / "stock.csv").write_text("sku,qty\nC,3\n")
    assert [await _skus(adapter, context(30)) for _ in range(2)][1] == ["C"]
    left = sorted(path.name for path in (*far.iterdir(), *(far / "in").iterdir()))
    assert left == ["S-D.csv", "S-L.csv", "in", "stock.csv"]


async def test_another_host_key_or_user_key_is_refused(
    sshd: dict[str, Any], start: Start, tmp_path: Path, context: Contexts
) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    host_key = other.export_public_key().decode()
    with pytest.raises(Unavailable, match="isn't the one whose host key"):
        await start({"sftp": {**sshd, "host_key": host_key, "path": str(tmp_path)}}).open()
    private = Reference(other.export_private_key().decode(), "env:KEY")
    with pytest.raises(Unavailable, match="refused the gateway's credentials"):
        await start({"sftp": {**sshd, "private_key": private, "path": str(tmp_path)}}).open()
    with pytest.raises(Unavailable, match="couldn't be reached"):
        await start({"sftp": {**sshd, "port": 1, "path": str(tmp_path)}}).open()


def test_another_version_than_was_listed_is_no_copy(sshd: dict[str, Any], tmp_path: Path) -> None:
    from adapters.files.places.config import Sftp

    far, local = tmp_path / "f", tmp_path / "local"
    far.write_bytes(b"x" * 600_000)
    os.utime(far, (1_800_000_000, 1_800_000_000))
    place = SftpPlace(Sftp.model_validate({**sshd, "path": str(tmp_path)}))
    there = There(600_000, 1_800_000_000.0)
    assert place.files([""], bool)["f"] == there
    assert place.fetch({"f": (there, local)}) == {"f"}
    assert local.read_bytes() == far.read_bytes()
    for other in (There(599_999, there.modified), There(600_001, there.modified), There(600_000, 1.0)):
        assert place.fetch({"f": (other, local)}) == set()
    assert place.fetch({"gone": (there, local)}) == set()


def test_what_a_killed_process_wrote_goes_when_the_place_has_it_no_more(sshd: dict[str, Any], tmp_path: Path) -> None:
    from adapters.files.places.config import Sftp

    far, here = tmp_path / "far", tmp_path / "mirror"
    far.mkdir()
    here.mkdir()

    def process() -> Mirror:
        reached = SftpPlace(Sftp.model_validate({**sshd, "path": str(far)}))
        return Mirror(reached, here, [Pattern.of("S-*.csv")], 0.0, 1 << 20)

    process().write("S-A.csv", b"sku,qty\nA,1\n", over=False)
    assert (here / "S-A.csv").exists()
    (far / "S-A.csv").unlink()  # a job took it away before anybody looked
    follower = process()
    for _ in range(2):
        follower.refresh(force=True)
    assert not (here / "S-A.csv").exists()


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, Any]]:
    """A server of S3's protocol on a free port, with the configuration of a place there."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        place = {
            "bucket": "figway", "prefix": "out/", "endpoint": f"http://{host}:{port}",
            "access_key": Reference("access", "env:A"), "secret_key": Reference("secret-key", "env:S"),
        }  # fmt: skip
        yield place
    finally:
        server.stop()


def _client(bucket: dict[str, Any]) -> Any:
    keys = {"aws_access_key_id": "access", "aws_secret_access_key": "secret-key"}
    return boto3.client("s3", endpoint_url=bucket["endpoint"], region_name="us-east-1", **keys)


async def test_files_of_a_bucket(bucket: dict[str, Any], start: Start, context: Contexts) -> None:
    client = _client(bucket)
    client.create_bucket(Bucket="figway")
    client.put_object(Bucket="figway", Key="out/stock.csv", Body=b"sku,qty\nA,1\n")
    client.put_object(Bucket="figway", Key="stock.csv", Body=b"sku,qty\nOUTSIDE,1\n")
    client.put_object(Bucket="figway", Key="out/../stock.csv", Body=b"sku,qty\nOUTSIDE,1\n")
    adapter = start({"s3": bucket})
    assert await _skus(adapter, context(30)) == ["A"]
    await adapter.invoke("stock.append", {"sku": "B", "qty": 2}, context(30))
    assert client.get_object(Bucket="figway", Key="out/in/S-B.csv")["Body"].read() == b"sku,qty\r\nB,2\r\n"
    assert await _skus(adapter, context(30)) == ["A", "B"]
    await adapter.invoke("stock.replace", {"items": [{"sku": "C", "qty": 3}]}, context(30))
    assert await _skus(adapter, context(30)) == ["B", "C"]
    client.delete_object(Bucket="figway", Key="out/in/S-B.csv")
    assert await _skus(adapter, context(30)) == ["C"]
    with pytest.raises(Unavailable, match="more than the 10 bytes"):
        await start({"s3": bucket, "max_bytes": 10}, "other").open()
    with pytest.raises(Unavailable, match="the bucket couldn't be read"):
        await start({"s3": {**bucket, "bucket": "none"}}, "third").open()


async def test_workers_share_a_mirror(
    bucket: dict[str, Any], start: Start, context: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = _client(bucket)
    client.create_bucket(Bucket="shared")
    client.put_object(Bucket="shared", Key="stock.csv", Body=b"sku,qty\nA,1\n")
    place = {"s3": {**bucket, "bucket": "shared", "prefix": ""}, "every": 3600}
    one, two = start(place), start(place)
    assert one._mirror is not None
    assert two._mirror is not None
    await one.open()
    looks: list[Any] = []
    monkeypatch.setattr(two._mirror._place, "files", looks.append)
    assert (await two.invoke("stock.get", {"sku": "A"}, context(30))).value == {"sku": "A", "qty": 1}
    assert looks == []
    threads = [threading.Thread(target=one._mirror.refresh, kwargs={"force": True}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in one._mirror.root.iterdir()) == [".lock", ".state", "stock.csv"]


KEY = Reference("key", "env:KEY")


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ({}, "one of ftp, s3, sftp and smb"),
        ({"sftp": {"host": "h", "user": "u", "private_key": KEY}}, "host_key"),
        ({"sftp": {"host": "h", "user": "u", "host_key": "k"}}, "a password or a private_key"),
        ({"sftp": {"host": "h", "user": "u", "host_key": "k", "password": "plain"}}, "must be a reference"),
        ({"ftp": {}, "smb": {}}, "one of ftp, s3, sftp and smb"),
        ({"ftp": {"host": "h", "user": "u\n", "password": KEY}}, "line breaks"),
        ({"ftp": {"host": "h", "user": "u", "password": "plain"}}, "must be a reference"),
        ({"ftp": {"host": "h", "user": "u", "password": KEY, "tls": {}, "unencrypted": True}}, "exclude each other"),
        ({"smb": {"host": "h", "share": "a\\b", "user": "u", "password": KEY}}, "share"),
        ({"smb": {"host": "h", "share": "s", "user": "u", "password": KEY, "path": "../out"}}, "a folder of the share"),
        ({"s3": {"bucket": "abc", "access_key": KEY, "secret_key": KEY, "x": 1}}, "Extra inputs"),
    ],
    ids=["none", "host key", "credentials", "literal", "two", "line", "plain", "tls", "share", "path", "unknown"],
)
def test_a_wrong_place_is_refused(place: dict[str, Any], sentence: str, stock: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=sentence):
        KIND.config.model_validate({"place": place, "datasets": {"stock": stock}})


def test_a_wrong_host_key_and_two_places_are_refused(start: Start, tmp_path: Path, stock: dict[str, Any]) -> None:
    sftp = {"host": "h", "user": "u", "host_key": "nonsense", "password": KEY}
    with pytest.raises(ConfigError, match="isn't a public key"):
        start({"sftp": sftp})
    for both in ({"root": str(tmp_path), "place": {"sftp": sftp}}, {}):
        with pytest.raises(ValidationError, match="or else place"):
            KIND.config.model_validate({**both, "datasets": {"stock": stock}})
