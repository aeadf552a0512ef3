"""The CRM by raw SOAP: both versions, typed faults, tokens checked for real, and its control."""

from __future__ import annotations

import concurrent.futures
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from lxml import etree

from gateway.demo.place import sources

VERSIONS = pytest.mark.parametrize("version", ["1.1", "1.2"])


@VERSIONS
def test_a_customer_is_answered_in_the_version_asked_and_fits_the_wsdl(crm: Any, soap: Any, version: str) -> None:
    answer = crm.call(soap.get_customer("C-10001"), version)
    assert answer.status == 200
    assert answer.content_type == soap.CONTENT[version]
    assert answer.text("Customer/Name") == "Nordlys Marine AS"
    assert answer.text("Customer/Contacts/Contact/Person/FamilyName") == "Solberg"
    _schema().assertValid(_alone(answer.payload))


def test_every_customer_fits_the_wsdl_and_comes_once(crm: Any, soap: Any) -> None:
    schema, seen, after = _schema(), [], ""
    while after is not None:
        place = f"<c:AfterId>{after}</c:AfterId>" if after else ""
        answer = crm.call(f"<c:ListCustomers>{place}<c:Limit>700</c:Limit></c:ListCustomers>")
        schema.assertValid(_alone(answer.payload))
        seen += [each.text for each in answer.all("Customers/Customer/Id")]
        after = answer.text("NextAfterId")
    assert seen == sorted(set(seen))
    assert len(seen) == 2_000


def test_a_list_is_narrowed_by_each_filter(crm: Any) -> None:
    filters = "<c:City>Bergen</c:City><c:Status>ACTIVE</c:Status><c:NameStartsWith>Nord</c:NameStartsWith>"
    found = crm.call(f"<c:ListCustomers><c:Limit>1000</c:Limit>{filters}</c:ListCustomers>").payload
    kinds = {name: {each.text for each in found.iter(f"{{*}}{name}")} for name in ("City", "Status", "Name")}
    assert kinds["City"] == {"Bergen"}
    assert kinds["Status"] == {"ACTIVE"}
    assert "Nordlys Marine AS" in kinds["Name"]
    assert all(name.startswith("Nord") for name in kinds["Name"])
    nothing = crm.call("<c:ListCustomers><c:Limit>5</c:Limit><c:NameStartsWith>%</c:NameStartsWith></c:ListCustomers>")
    assert nothing.all("Customers/Customer") == []


@VERSIONS
def test_an_unknown_customer_is_a_typed_fault(crm: Any, soap: Any, version: str) -> None:
    answer = crm.call(soap.get_customer("C-99999"), version)
    assert answer.status == 500
    assert answer.detail.tag == f"{{{soap.CRM}}}CustomerNotFound"
    assert answer.detail.findtext("{*}CustomerId") == "C-99999"


@VERSIONS
def test_each_bad_field_of_a_change_is_named(crm: Any, soap: Any, version: str) -> None:
    changes = "<c:Status>GONE</c:Status><c:Email>nowhere</c:Email><c:CreditLimit>500000.01</c:CreditLimit>"
    answer = crm.call(soap.update_customer("C-10002", changes), version)
    assert answer.detail.tag == f"{{{soap.CRM}}}ValidationFault"
    assert [each.findtext("{*}Field") for each in answer.detail] == ["Status", "Email", "CreditLimit"]


def test_the_same_request_id_changes_once(crm: Any, soap: Any, crm_control: str) -> None:
    body = soap.update_customer("C-10003", "<c:CreditLimit>00012.5</c:CreditLimit>", "change-1")
    before = httpx.get(crm_control).json()["writes"]
    answers = [etree.tostring(crm.call(body).payload) for _ in range(3)]
    assert len(set(answers)) == 1
    assert b">12.50<" in answers[0]
    assert httpx.get(crm_control).json()["writes"] == before + 1
    other = crm.call(soap.update_customer("C-10003", "<c:CreditLimit>13</c:CreditLimit>", "change-1"))
    assert other.detail[0].findtext("{*}Field") == "RequestId"


def test_one_request_id_sent_at_once_by_many_changes_once(crm: Any, soap: Any, crm_control: str) -> None:
    body = soap.update_customer("C-10004", "<c:Phone>+47 1</c:Phone>", "change-2")
    before = httpx.get(crm_control).json()["writes"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: etree.tostring(crm.call(body).payload), range(16)))
    assert len(set(answers)) == 1
    assert httpx.get(crm_control).json()["writes"] == before + 1


def test_nil_clears_and_absent_keeps(crm: Any, soap: Any) -> None:
    crm.call(soap.update_customer("C-10005", "<c:Email>a@b.example</c:Email><c:Phone>+47 2</c:Phone>"))
    answer = crm.call(soap.update_customer("C-10005", '<c:Email xsi:nil="true"/>'))
    [mail] = answer.all("Customer/Email")
    assert mail.get("{http://www.w3.org/2001/XMLSchema-instance}nil") == "true"
    assert answer.text("Customer/Phone") == "+47 2"


@VERSIONS
@pytest.mark.parametrize("how", ["none", "password", "old", "replayed"])
def test_a_wrong_token_is_refused(crm: Any, soap: Any, version: str, how: str) -> None:
    tokens = {
        "none": "",
        "password": crm.token(password="guessed"),
        "old": crm.token(created=datetime.now(UTC) - timedelta(minutes=6)),
        "replayed": crm.token(),
    }
    if how == "replayed":
        assert crm.call(soap.get_customer("C-10001"), version, token=tokens[how]).status == 200
    answer = crm.call(soap.get_customer("C-10001"), version, token=tokens[how])
    assert answer.status == 500
    assert b"FailedAuthentication" in etree.tostring(answer.payload)
    assert b"Nordlys" not in etree.tostring(answer.payload)


def test_a_document_type_is_refused(crm: Any, soap: Any) -> None:
    body = f'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><s:Envelope xmlns:s="{soap.ENVELOPE["1.1"]}"/>'
    reply = httpx.post(crm.url, content=body, headers={"Content-Type": soap.CONTENT["1.1"]})
    assert reply.status_code == 500
    assert "FailedAuthentication" in reply.text
    assert "root:" not in reply.text


def test_the_control_answers_while_calls_hang_and_lets_them_go_on(crm: Any, soap: Any, crm_control: str) -> None:
    httpx.post(crm_control, json={"hang": True}).raise_for_status()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        hung = pool.submit(crm.call, soap.get_customer("C-10001"), timeout=30)
        with pytest.raises(httpx.ReadTimeout):
            crm.call(soap.get_customer("C-10001"), timeout=0.5)
        assert not hung.done()
        assert httpx.get(crm_control).json()["hang"] is True
        httpx.post(crm_control, json={"hang": False}).raise_for_status()
        assert hung.result().text("Customer/Id") == "C-10001"


@pytest.mark.parametrize(("fail", "status"), [("500", 500), ("html", 503), ("fault", 500)])
def test_it_fails_as_told(crm: Any, soap: Any, crm_control: str, fail: str, status: int) -> None:
    httpx.post(crm_control, json={"fail": fail}).raise_for_status()
    reply = httpx.post(crm.url, content=b"<a/>", headers={"Content-Type": soap.CONTENT["1.1"]})
    assert reply.status_code == status
    assert httpx.get(crm_control, params={"ledger": 1}).json()["ledger"][0]["outcome"] == f"failed on purpose: {fail}"


def test_a_wrong_setting_of_the_control_is_refused(crm_control: str) -> None:
    for wrong in ({"latency": -1}, {"latency": "soon"}, {"fail": "often"}, {"noise": 1}):
        assert httpx.post(crm_control, json=wrong).status_code == 400


def test_the_wsdl_names_the_address_where_it_is_served(crm: Any) -> None:
    assert f'location="{crm.url}"' in httpx.get(crm.url, params="wsdl").text


def _schema() -> etree.XMLSchema:
    wsdl = etree.parse(str(sources("crm") / "crm.wsdl"))
    return etree.XMLSchema(_alone(wsdl.find(".//{http://www.w3.org/2001/XMLSchema}schema")))


def _alone(payload: Any) -> Any:
    """As a document of its own, with the prefixes that it uses."""
    return etree.fromstring(etree.tostring(payload))
