"""Fetches a WSDL and all that it imports by URL, to be kept in the workspace: what runs later reads only that copy.

One strict way out: http and https to the hosts that were named, no redirects, no private address unless it was named,
no `file:`; bounded in size, number, depth and time. A document that came by URL is never read from the disk.
"""

from __future__ import annotations

import hashlib
import ipaddress
import posixpath
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import httpx
from lxml import etree

from adapters.errors import ConfigError, ConfigProblem
from adapters.soap.redefine import XSD
from adapters.soap.resolver import CATALOGUE, WSDL, Unreadable, parse_document

_MOST_DOCUMENTS = 500
_MOST_BYTES = 32 * 2**20
_DEEPEST = 30
_CHUNK = 64 * 2**10
_LOCATIONS = {
    WSDL + "import": "location",
    XSD + "import": "schemaLocation",
    XSD + "include": "schemaLocation",
    XSD + "redefine": "schemaLocation",
}


@dataclass(frozen=True, slots=True)
class Allowed:
    """Where documents may come from. `hosts` may be asked (`name` or `name:port`, lower case); those in `private` may
    have an address that isn't public."""

    hosts: frozenset[str]
    private: frozenset[str] = frozenset()
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Collected:
    """The documents by file name, their imports naming each other, and which of them is the WSDL."""

    files: Mapping[str, bytes]
    wsdl: str


def collect(url: str, allowed: Allowed) -> Collected:
    """The WSDL at `url` with all that it reaches; raises `ConfigError`. Waits: call it on a thread."""
    run = _Run(allowed, time.monotonic() + allowed.seconds)
    wsdl = run.document(url, 0)
    return Collected(run.files, wsdl)


def fetched(url: str, allowed: Allowed) -> bytes:
    """One document as it is, by the same rules; raises `ConfigError`. Waits: call it on a thread."""
    return _Run(allowed, time.monotonic() + allowed.seconds)._fetched(url)


@dataclass
class _Run:
    allowed: Allowed
    deadline: float
    files: dict[str, bytes] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _left: int = _MOST_BYTES

    def document(self, url: str, depth: int) -> str:
        """The file name of the document at `url`, fetched the first time it is asked for."""
        url = url.partition("#")[0]
        known = self._names.get(url)
        if known is not None:
            return known
        if len(self._names) >= _MOST_DOCUMENTS or depth > _DEEPEST:
            raise _problem(f"'{_shown(url)}' is one document too many, or imported in too long a chain")
        name = self._names[url] = self._name(url)
        data = self._fetched(url)
        try:
            root = parse_document(data)
        except Unreadable as error:
            raise _problem(f"'{_shown(url)}' can't be used: {error.message}") from error
        for node in root.iter(*_LOCATIONS):
            self._localise(node, url, depth)
        self.files[name] = etree.tostring(root, xml_declaration=True, encoding="utf-8")
        return name

    def _localise(self, node: etree._Element, url: str, depth: int) -> None:
        """Lets an import name the copy of what it imports; the standard schemas stay the catalogue's."""
        attribute = _LOCATIONS[str(node.tag)]
        location = node.get(attribute, "").strip()
        namespace = node.get("namespace", "")
        if not location or (node.tag == XSD + "import" and (namespace in CATALOGUE or namespace == XSD[1:-1])):
            return
        node.set(attribute, self.document(urljoin(url, location), depth + 1))

    def _name(self, url: str) -> str:
        parts = urlsplit(url)
        stem, extension = posixpath.splitext(posixpath.basename(parts.path) or "service")
        if extension.lower() not in (".wsdl", ".xsd"):
            extension = ".wsdl" if not self._names else ".xsd"
        stem = re.sub(r"[^A-Za-z0-9_-]+", "_", stem)[:60] or "document"
        name = f"{stem}{extension.lower()}"
        if name in self._names.values():
            name = f"{stem}-{hashlib.sha256(url.encode()).hexdigest()[:8]}{extension.lower()}"
        return name

    def _fetched(self, url: str) -> bytes:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        try:
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
        except ValueError:
            port = 0
        if parts.scheme not in ("http", "https") or not host or not port or parts.username is not None:
            raise _problem(f"'{_shown(url)}' isn't an http or https address, which is all that is fetched")
        named = {host, f"{host}:{port}"}
        if not named & self.allowed.hosts:
            raise _problem(f"'{_shown(url)}' is on host '{host}', which isn't allowed; name it to allow it")
        address = _address(host, port, private=bool(named & self.allowed.private))
        return self._read(httpx.URL(url), address)

    def _read(self, url: httpx.URL, address: str) -> bytes:
        """The body at `url`, from exactly the address that was checked: a name may mean another one a moment later."""
        headers = {"Host": url.netloc.decode(), "Accept": "text/xml, application/xml, */*;q=0.1", "Accept-Encoding": ""}
        extensions = {"sni_hostname": url.host}
        chunks: list[bytes] = []
        try:
            with (
                httpx.Client(trust_env=False, follow_redirects=False, timeout=self._seconds()) as client,
                client.stream("GET", url.copy_with(host=address), headers=headers, extensions=extensions) as reply,
            ):
                if reply.status_code != 200:
                    raise _problem(f"'{_shown(str(url))}' answered HTTP {reply.status_code}; redirects aren't followed")
                for chunk in reply.iter_raw(_CHUNK):
                    self._left -= len(chunk)
                    if self._left < 0:
                        raise _problem(f"the documents are more than {_MOST_BYTES >> 20} MiB together")
                    chunks.append(chunk)
                    self._seconds()
        except httpx.HTTPError as error:
            raise _problem(f"'{_shown(str(url))}' can't be fetched: {type(error).__name__}") from error
        return b"".join(chunks)

    def _seconds(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise _problem(f"the documents weren't there after {self.allowed.seconds:g} s")
        return left


def _address(host: str, port: int, *, private: bool) -> str:
    try:
        found = [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise _problem(f"host '{host}' has no address") from error
    if not private and not all(_public(each) for each in found):
        raise _problem(f"host '{host}' has a private address; name it as private to allow that")
    return found[0]


def _public(address: str) -> bool:
    plain = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(plain, "ipv4_mapped", None)
    return (mapped or plain).is_global and not plain.is_multicast


def _shown(url: str) -> str:
    """A URL without what may be secret in it, bounded."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]


def _problem(message: str) -> ConfigError:
    return ConfigError([ConfigProblem(message, "/wsdl", None, None)])
