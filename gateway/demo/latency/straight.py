"""The agent's four calls as a program without a gateway makes them: by SOAP, by ODBC and by SFTP.

Each connects anew, asks once and reads what it needs of the answer; nothing is kept from one call to the next.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import Mapping
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import asyncssh
import httpx
import pyodbc
from lxml import etree

Answer = str | int | list[str]

_PATIENCE = 120.0
_CRM = "urn:halden-supply:crm:customers:2"
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_ENVELOPE = """<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header>
<w:Security e:mustUnderstand="1" xmlns:w="{oasis}-wssecurity-secext-1.0.xsd"
 xmlns:u="{oasis}-wssecurity-utility-1.0.xsd">
<w:UsernameToken><w:Username>{user}</w:Username>
<w:Password Type="{oasis}-username-token-profile-1.0#PasswordDigest">{digest}</w:Password>
<w:Nonce>{nonce}</w:Nonce><u:Created>{created}</u:Created></w:UsernameToken></w:Security></e:Header>
<e:Body><GetCustomer xmlns="{crm}"><CustomerId>{id}</CustomerId></GetCustomer></e:Body></e:Envelope>"""

# Both copybooks begin with the record's own number and have the customer's behind it: (its length, places).
_INVOICE, _TASK = (516, slice(0, 10), slice(12, 22)), (256, slice(0, 26), slice(26, 36))


async def customer(crm: Mapping[str, str], id: str) -> Answer:
    """The customer's name, by SOAP (WS-Security UsernameToken Profile 1.0, digest)."""
    nonce, created = os.urandom(16), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha1(nonce + (created + crm["password"]).encode(), usedforsecurity=False).digest()
    asked = _ENVELOPE.format(
        oasis=_OASIS, crm=_CRM, user=crm["user"], id=id, created=created,
        nonce=base64.b64encode(nonce).decode(), digest=base64.b64encode(digest).decode(),
    )  # fmt: skip
    headers = {"content-type": "text/xml; charset=utf-8", "soapaction": '""'}
    async with httpx.AsyncClient(timeout=_PATIENCE) as client:
        told = await client.post(crm["wsdl"].removesuffix("?wsdl"), content=asked, headers=headers)
    found = etree.fromstring(told.raise_for_status().content, etree.XMLParser(resolve_entities=False))
    name = found.findtext(f".//{{{_CRM}}}Name") or found.findtext(".//{*}Name")
    assert name is not None
    return str(name)


async def stock(dsn: str, sku: str) -> Answer:
    """How many are on hand, by ODBC."""

    def ask() -> int:
        with closing(pyodbc.connect(dsn)) as database:
            return int(database.execute("SELECT on_hand FROM stock WHERE sku = ?", sku).fetchval())

    return await asyncio.to_thread(ask)


async def invoices(files: Mapping[str, str], customer: str) -> Answer:
    """The numbers of the customer's invoices, by SFTP: all months are read, as a file has no index."""
    return await _records(files, ("", "INV*.DAT"), "cp037", _INVOICE, customer)


async def tasks(files: Mapping[str, str], customer: str) -> Answer:
    """The ids of the customer's tasks that the batch has taken over, by SFTP."""
    return await _records(files, ("", "TASKMAST.DAT"), "latin-1", _TASK, customer)


async def _records(
    files: Mapping[str, str], where: tuple[str, str], code: str, shape: tuple[int, slice, slice], customer: str
) -> list[str]:
    """The numbers of one customer's records, in order."""
    length, number, owner = shape
    found = []
    async with _session(files) as sftp:
        folder = f"{files['dir']}/{where[0]}".rstrip("/")
        names = [str(each) for each in await sftp.listdir(folder) if fnmatchcase(str(each), where[1])]
        contents = await asyncio.gather(*(_content(sftp, f"{folder}/{name}") for name in names))
    for content in contents:
        records = (content[at : at + length] for at in range(0, len(content), length))
        found += [each[number].decode(code).strip() for each in records if each[owner].decode(code).strip() == customer]
    return sorted(found)


async def _content(sftp: asyncssh.SFTPClient, path: str) -> bytes:
    async with sftp.open(path, "rb") as file:
        data = await file.read()
    assert isinstance(data, bytes)
    return data


@asynccontextmanager
async def _session(files: Mapping[str, str]) -> Any:
    key = await asyncio.to_thread(asyncssh.read_private_key, files["private_key"])
    known = asyncssh.import_public_key(files["host_key"])
    connecting = asyncssh.connect(
        files["host"], int(files["port"]), username=files["user"], client_keys=[key], known_hosts=([known], [], []),
        agent_path=None, config=None, connect_timeout=_PATIENCE, login_timeout=_PATIENCE,
    )  # fmt: skip
    async with connecting as connection, connection.start_sftp_client() as sftp:
        yield sftp
