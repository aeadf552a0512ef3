"""WS-Addressing 1.0: whom a message is for, what it asks, and which reply belongs to it (W3C, Core section 3)."""

from __future__ import annotations

import os
import uuid

from lxml import etree

from adapters.soap.resolver import WSDL
from adapters.soap.values import escape

WSA = "http://www.w3.org/2005/08/addressing"
_ANONYMOUS = WSA + "/anonymous"
_REPLY = WSA + "/reply"
_ACTIONS = (
    "{http://www.w3.org/2007/05/addressing/metadata}Action",
    "{http://www.w3.org/2006/05/addressing/wsdl}Action",
)


def new_id() -> str:
    """A message's id."""
    return uuid.UUID(bytes=os.urandom(16), version=4).urn


def blocks(action: str, to: str, message_id: str) -> str:
    """The header blocks of a request that is answered on its own connection, as XML text."""
    return (
        f'<a:Action xmlns:a="{WSA}">{escape(action)}</a:Action><a:To xmlns:a="{WSA}">{escape(to)}</a:To>'
        f'<a:MessageID xmlns:a="{WSA}">{message_id}</a:MessageID>'
        f'<a:ReplyTo xmlns:a="{WSA}"><a:Address>{_ANONYMOUS}</a:Address></a:ReplyTo>'
    )


def relates(envelope: etree._Element, message_id: str) -> bool:
    """Whether `envelope` is a reply to that message, as far as it says to which one it is."""
    related = [
        (node.text or "").strip()
        for node in envelope.iterfind(f"*/{{{WSA}}}RelatesTo")
        if node.get("RelationshipType", _REPLY) in (_REPLY, "reply")
    ]
    return not related or message_id in related


def action_of(operation: etree._Element, soap_action: str, namespace: str, port_type: str) -> str:
    """The action of a portType's operation: as its input names it, as SOAP does, or as the rule of WS-Addressing 1.0
    Metadata, section 4.4, makes it of the portType's namespace and name."""
    input = operation.find(WSDL + "input")
    said = "" if input is None else next((input.get(name, "").strip() for name in _ACTIONS if input.get(name)), "")
    name = operation.get("name", "") + ("" if operation.find(WSDL + "output") is None else "Request")
    name = name if input is None else input.get("name", name)
    mark = ":" if namespace.startswith("urn:") else "/"
    return said or soap_action or mark.join((namespace.removesuffix(mark), port_type, name))
