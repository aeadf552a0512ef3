"""Our replies beside zeep's, on the same XML: equal but for the spelling that this adapter promises."""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import zeep
from hypothesis import HealthCheck, Phase, given, settings
from lxml import etree
from zeep.exceptions import XMLParseError
from zeep.helpers import serialize_object

from adapters.soap.decode import Decoder
from adapters.soap.form import Form
from adapters.soap.notes import Notes
from adapters.soap.render import Renderer
from adapters.soap.schema import output_schema

# A failure here is read by its difference, not by its size: shrinking takes minutes.
STABLE = settings(
    deadline=None,
    database=None,
    derandomize=True,
    max_examples=25 if os.environ.get("FIGWAY_SLOW") else 18,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
WSDL = Path(__file__).parent / "service" / "orders.wsdl"


@pytest.mark.parametrize("name", ["GetOrder", "ListOrders", "PutOrder"])
def test_replies_equal_zeeps(name: str, form: Form, generator: ModuleType) -> None:
    operation = next(each for each in form.ports[0].operations if each.name == name)
    assert operation.output is not None
    message = operation.output
    renderer, decoder = Renderer(form, message), Decoder(form, message, UTC)
    ports = zeep.Client(str(WSDL)).wsdl.services["OrderService"].ports
    theirs = ports["Orders11Port"].binding.get(name)

    @settings(STABLE)
    @given(generator.instances(output_schema(form, message)))
    def run(value: Any) -> None:
        text = (
            f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"{renderer.namespaces}>'
            f"<e:Body>{renderer.body(value)}</e:Body></e:Envelope>"
        )
        body = etree.fromstring(text.encode())[0]
        ours = decoder.body(list(body), Notes())
        (single,) = ours.values() if ours else (None,)
        try:
            answer = theirs.process_reply(etree.fromstring(text.encode()))
        except XMLParseError:
            return  # zeep refuses an optional group that is left out before another optional element.
        assert _ours(single) == _zeep(serialize_object(answer, dict))
        compared.append(value)

    compared: list[Any] = []
    run()
    assert len(compared) >= 8


def _ours(value: Any) -> Any:
    """Our spelling without what zeep has no words for: the standing-in type, the order of a repeated choice, an empty
    text (which it reads as None)."""
    if isinstance(value, Mapping):
        plain = {
            name.lstrip("@"): _ours(item) for name, item in value.items() if name[0] != "#" and name != "@xsi:type"
        }
        if "Checksum" in value:  # zeep leaves hexBinary as it is.
            plain["Checksum"] = base64.b64decode(value["Checksum"]).hex().upper() or None
        for name in plain.keys() & {"From", "Until"}:  # zeep cuts fractions of a second.
            plain[name] = value[name][:8]
        if "#text" in value:
            plain["_value_1"] = _ours(value["#text"])
        return {name: item for name, item in plain.items() if item not in (None, [], {})}
    if isinstance(value, list):
        return [_ours(item) for item in value]
    return None if value == "" else value


def _zeep(value: Any) -> Any:
    if isinstance(value, Mapping):
        plain = {name: _zeep(item) for name, item in value.items()}
        if isinstance(plain.get("_value_1"), list):
            del plain["_value_1"]
        return {name: item for name, item in plain.items() if item not in (None, [], {})}
    if isinstance(value, list):
        return [_zeep(item) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{value:+}".lstrip("+").upper()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    if isinstance(value, time):
        return value.isoformat()[:8]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode() or None
    return None if value == "" else value
