"""A folder of an FTP server (RFC 959, 3659), over TLS unless the configuration says that there is none."""

from __future__ import annotations

import ftplib
import secrets
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from adapters.certificates import made
from adapters.errors import ConfigError, ConfigProblem, Conflict, Unavailable, UnknownOutcome
from adapters.files.drop import TEMPORARY
from adapters.files.places.config import Ftp
from adapters.files.places.ftp_client import Client, seconds
from adapters.files.places.place import MOST_FILES, There, named
from adapters.tls import texts

_LEFT_BEHIND = 120.0
"""Seconds after which a reservation can't be anybody's any more: an errand takes 30."""


def trust(config: Ftp, files: Mapping[str, bytes]) -> ssl.SSLContext:
    """The TLS context of a place; raises `ConfigError`."""
    try:
        context = made(texts(config.tls, files))
    except ConfigError as error:
        raise ConfigError([ConfigProblem(e.message, f"/place/ftp{e.where}") for e in error.problems]) from None
    return context if isinstance(context, ssl.SSLContext) else ssl.create_default_context()


class FtpPlace:
    """One connection an errand: errands are seconds apart, and a connection that is kept dies unseen."""

    settles = True

    def __init__(self, config: Ftp, context: ssl.SSLContext) -> None:
        self._config = config
        self._context = context

    def files(self, folders: Sequence[str], wants: Callable[[str], bool]) -> Mapping[str, There]:
        found: dict[str, There] = {}
        with self._client() as client:
            root = _root(client, self._config.path)
            for folder in folders:
                client.begin()
                if not _entered(client, root, folder):
                    continue
                look = _facts if client.has("MLST") else _names
                found |= dict(look(client, folder, wants))
                if len(found) > MOST_FILES:
                    raise Unavailable(f"the place has more than {MOST_FILES} files")
        return found

    def fetch(self, wanted: Mapping[str, tuple[There, Path]]) -> set[str]:
        left, done = dict(wanted), set()
        while left:
            with self._client() as client:
                done |= self._fetched(client, left)
        return done

    def _fetched(self, client: Client, left: dict[str, tuple[There, Path]]) -> set[str]:
        """What could be copied, until nothing is `left` or the connection is of no more use."""
        done = set()
        root = _root(client, self._config.path)
        while left:
            path, (there, local) = left.popitem()
            at = _at(root, path)
            client.begin()
            try:
                whole = client.download(f"RETR {at}", there.size, local)
            except ftplib.error_perm:
                continue  # gone, or locked
            if whole is None:
                break
            if whole and _seen(client, at) == there:
                done.add(path)
        return done

    def write(self, path: str, data: bytes, *, over: bool) -> None:
        folder, _, name = path.rpartition("/")
        sent = False
        with self._client() as client:
            root = _root(client, self._config.path)
            beside = _at(root, folder) + f"/{TEMPORARY}"
            temporary, target = f"{beside}{secrets.token_hex(8)}.tmp", _at(root, path)
            try:
                client.upload(f"STOR {temporary}", data)
                written = _seen(client, temporary)
                if written is None or written.size != len(data):
                    raise Unavailable("the FTP server didn't keep all of the file; nothing was written")
                with _reserved(client, f"{beside}{_bytes(name)}.reserved", target, written, over=over):
                    client.sendcmd(f"RNFR {temporary}")
                    sent = True
                    _renamed(client, target)
            except (OSError, EOFError, ftplib.Error) as error:
                if sent and not isinstance(error, ftplib.error_perm | ftplib.error_temp):
                    raise UnknownOutcome("the file may have been written", detail=str(error)) from error
                raise
            finally:
                with suppress(OSError, EOFError, ftplib.Error):
                    client.delete(temporary)

    @contextmanager
    def _client(self) -> Iterator[Client]:
        config = self._config
        client = Client(self._context)
        try:
            client.connect(config.host, config.port)
            _logged_in(client, config)
            yield client
            with suppress(OSError, EOFError, ftplib.Error):
                client.quit()
        except ssl.SSLCertVerificationError as error:
            raise Unavailable("the FTP server's certificate isn't one to trust", detail=str(error)) from None
        except ftplib.Error as error:
            raise Unavailable("the FTP server refused what was asked of it", detail=str(error)) from error
        except (OSError, EOFError) as error:
            raise Unavailable("the FTP server couldn't be reached", detail=str(error)) from error
        except (ValueError, ArithmeticError, IndexError) as error:
            raise Unavailable("the FTP server's answer can't be understood", detail=str(error)) from error
        finally:
            client.close()


def _logged_in(client: Client, config: Ftp) -> None:
    if not config.unencrypted:
        try:
            client.auth()
        except ftplib.error_perm as error:
            raise Unavailable("the FTP server knows no TLS; nothing was sent", detail=str(error)) from None
    try:
        client.login(_bytes(config.user), _bytes(config.password.get_secret_value()), secure=not config.unencrypted)
    except ftplib.error_perm as error:
        raise Unavailable("the FTP server refused the gateway's credentials", detail=str(error)) from None
    if not config.unencrypted:
        client.prot_p()


def _bytes(text: str) -> str:
    """The bytes of a text as the client takes them."""
    return text.encode().decode("latin-1")


def _root(client: Client, path: str) -> str:
    try:
        client.cwd(_bytes(path))
    except ftplib.error_perm as error:
        raise Unavailable("the folder at the FTP server can't be entered", detail=str(error)) from None
    return client.pwd()


def _at(root: str, path: str) -> str:
    """A path from the root of the server, so that none begins with what a server takes for an option."""
    return (root.rstrip("/") + "/" + _bytes(path)).rstrip("/") or "/"


def _entered(client: Client, root: str, folder: str) -> bool:
    """Goes to a folder; False where there is none. What is there and can't be entered isn't absent."""
    try:
        client.cwd(_at(root, folder))
    except ftplib.error_perm as error:
        above, _, last = folder.rpartition("/")
        if not folder or (_entered(client, root, above) and _bytes(last) in _listed(client)):
            raise Unavailable("a folder at the FTP server can't be entered", detail=str(error)) from None
        return False
    return True


def _listed(client: Client) -> list[str]:
    """The names in the folder that was entered."""
    try:
        lines, last = client.listing("NLST")
    except ftplib.error_perm as error:
        if str(error).startswith("550"):  # so some say that it is empty
            return []
        raise
    except ftplib.error_temp as error:
        if str(error).startswith("450"):
            return []
        raise
    if not lines and "fail" in last.lower():  # vsftpd's "226 Transfer done (but failed to open directory)."
        raise Unavailable("a folder at the FTP server can't be read", detail=last)
    return [line.rpartition("/")[2] for line in lines]


def _names(client: Client, folder: str, wants: Callable[[str], bool]) -> Iterator[tuple[str, There]]:
    """The wanted files of the folder that was entered, where the server tells only names: one by one."""
    for name in _listed(client):
        path = _path(folder, name)
        if path is None or not wants(path):
            continue
        client.begin()
        there = _seen(client, name)
        if there is not None:
            yield path, there


def _facts(client: Client, folder: str, wants: Callable[[str], bool]) -> Iterator[tuple[str, There]]:
    """The same, where the server tells type, size and time with the name (RFC 3659, section 7)."""
    for line in client.listing("MLSD")[0]:
        told, _, name = line.partition(" ")
        path, there = _path(folder, name), _there(told)
        if path is not None and wants(path) and there is not None:
            yield path, there


def _path(folder: str, name: str) -> str | None:
    """The path of a file; None for names that are none of a folder's, or no UTF-8."""
    try:
        return named(folder, name.encode("latin-1").decode())
    except UnicodeDecodeError:
        return None


def _there(told: str) -> There | None:
    facts = {key.lower(): value for key, _, value in (fact.partition("=") for fact in told.split(";"))}
    if facts.get("type", "").lower() != "file" or "size" not in facts or "modify" not in facts:
        return None
    return There(int(facts["size"]), seconds(facts["modify"]))


def _seen(client: Client, at: str) -> There | None:
    """A regular file as it is now; None where there is none. Raises `Unavailable` for a server that can't tell."""
    try:
        if client.has("MLST"):
            lines = client.sendcmd(f"MLST {at}").splitlines()
            return _there(lines[1].strip().partition(" ")[0])
        client.voidcmd("TYPE I")
        size = int(client.sendcmd(f"SIZE {at}").split()[1])
        return There(size, seconds(client.sendcmd(f"MDTM {at}").split()[1]))
    except ftplib.error_perm as error:
        if str(error).startswith("550"):
            return None
        raise Unavailable("the FTP server can't tell a file's size and time", detail=str(error)) from None


@contextmanager
def _reserved(client: Client, sign: str, target: str, written: There, *, over: bool) -> Iterator[None]:
    """A name for us alone, as FTP renames over what is there: a folder can be made by one only."""
    if over:
        yield
        return
    try:
        _reserve(client, sign, target, written)
    except ftplib.error_perm as error:
        if _seen(client, target) is not None:
            raise Conflict("a record of that key exists already") from None
        sentence = "the name can't be reserved at the FTP server: another writes it now, or folders can't be made"
        raise Unavailable(f"{sentence}; nothing was written", detail=str(error)) from None
    try:
        if _seen(client, target) is not None:
            raise Conflict("a record of that key exists already")
        yield
    finally:
        with suppress(OSError, EOFError, ftplib.Error):
            client.rmd(sign)


def _reserve(client: Client, sign: str, target: str, written: There) -> None:
    try:
        client.mkd(sign)
    except ftplib.error_perm:
        if not client.has("MLST"):
            raise
        # What a killed writer left is known by its age, on the server's own clock.
        told = client.sendcmd(f"MLST {sign}").splitlines()[1].lower()
        made = dict(fact.split("=", 1) for fact in told.strip().split(" ")[0].split(";") if "=" in fact).get("modify")
        if made is None or written.modified - seconds(made) < _LEFT_BEHIND:
            raise
        client.rmd(sign)
        client.mkd(sign)


def _renamed(client: Client, target: str) -> None:
    try:
        client.voidcmd(f"RNTO {target}")
    except ftplib.error_perm as error:
        raise Unavailable(
            "the FTP server doesn't put a file over another; nothing was written", detail=str(error)
        ) from None
