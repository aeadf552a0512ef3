"""Audit records as events of the Open Cybersecurity Schema Framework 1.3.0 (https://schema.ocsf.io/1.3.0).

A 401 is an Authentication (3002) that failed; everything else is an API Activity (6003), with the profile
`security_control` where a policy decided. The record itself travels along as `raw_data`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

import orjson

VERSION = "1.3.0"

Record: TypeAlias = Mapping[str, Any]
Event: TypeAlias = dict[str, Any]

_AUTHENTICATION = (3002, 3)
_API_ACTIVITY = (6003, 6)
_LOGON = 1
_CREATE, _READ, _UPDATE, _DELETE, _OTHER = 1, 2, 3, 4, 99
_ACTIVITIES = {"POST": _CREATE, "GET": _READ, "HEAD": _READ, "PUT": _UPDATE, "PATCH": _UPDATE, "DELETE": _DELETE}
_NAMES = {_CREATE: "Create", _READ: "Read", _UPDATE: "Update", _DELETE: "Delete"}
_UNKNOWN, _SUCCESS, _FAILURE = 0, 1, 2
_STATUSES = {_UNKNOWN: "Unknown", _SUCCESS: "Success", _FAILURE: "Failure"}
_INFORMATIONAL, _LOW, _MEDIUM = (1, "Informational"), (2, "Low"), (3, "Medium")


def ocsf(record: Record) -> Event:
    """The record as an event of the class that fits."""
    return _authentication(record) if record.get("status") == 401 else _api_activity(record)


def _authentication(record: Record) -> Event:
    event = _base(record, _AUTHENTICATION, _LOGON, "Logon")
    return {
        **event,
        "user": _user(record),
        "service": {"name": "figway"},
        "is_remote": True,
        "status_detail": record.get("problem") or "unauthenticated",
        "http_request": _request(record),
        "src_endpoint": _endpoint(record),
        **_control(record),
    }


def _api_activity(record: Record) -> Event:
    activity = _activity(record)
    event = _base(record, _API_ACTIVITY, activity, _NAMES.get(activity, "Other"))
    event |= {
        "actor": _actor(record),
        "api": _api(record),
        "src_endpoint": _endpoint(record),
        "duration": round(float(record.get("seconds") or 0) * 1000),
    }
    if record.get("method"):
        event |= {"http_request": _request(record), "http_response": {"code": record.get("status") or 0}}
    if record.get("problem"):
        event["status_detail"] = record["problem"]
    resources = [{"name": call["upstream"], "type": "upstream"} for call in record.get("upstream_calls") or ()]
    if resources:
        event["resources"] = resources
    return event | _control(record)


def _base(record: Record, kind: tuple[int, int], activity: int, name: str) -> Event:
    class_uid, category = kind
    status, (severity_id, severity) = _status(record), _severity(record)
    metadata: Event = {
        "version": VERSION,
        "uid": f"{record['id']}/{record.get('kind') or 'call'}",
        "product": {"name": "figway", "vendor_name": "figway"},
        "log_name": "audit",
        "event_code": record.get("kind") or "call",
        "original_time": record["time"],
    }
    trace = (record.get("traceparent") or "").split("-")
    if len(trace) == 4:
        metadata["correlation_uid"] = trace[1]
    if record.get("tenant"):
        metadata["tenant_uid"] = record["tenant"]
    if record.get("decision"):
        metadata["profiles"] = ["security_control"]
    return {
        "class_uid": class_uid,
        "category_uid": category,
        "activity_id": activity,
        "activity_name": name,
        "type_uid": class_uid * 100 + activity,
        "time": _milliseconds(record["time"]),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status,
        "status": _STATUSES[status],
        "status_code": str(record.get("status") or ""),
        "metadata": metadata,
        "raw_data": orjson.dumps(dict(record)).decode(),
    }


def _activity(record: Record) -> int:
    if record.get("effect") == "read":
        return _READ
    return _ACTIVITIES.get(record.get("method") or "", _OTHER)


def _status(record: Record) -> int:
    """What became of it: an intent doesn't know yet."""
    if record.get("kind") == "intent":
        return _UNKNOWN
    return _FAILURE if record.get("problem") or int(record.get("status") or 0) >= 400 else _SUCCESS


def _severity(record: Record) -> tuple[int, str]:
    status = int(record.get("status") or 0)
    if status in (401, 403) or record.get("decision") == "deny":
        return _MEDIUM
    return _LOW if status >= 500 else _INFORMATIONAL


def _control(record: Record) -> Event:
    """The attributes of the profile `security_control`: what policies decided, and which."""
    decision = record.get("decision")
    if not decision:
        return {}
    denied = decision == "deny"
    named = [{"decision": decision, "policy": {"uid": policy}} for policy in record.get("policies") or ()]
    return {
        "action_id": 2 if denied else 1,
        "action": "Denied" if denied else "Allowed",
        "disposition_id": 2 if denied else 1,
        "disposition": "Blocked" if denied else "Allowed",
        "authorizations": named or [{"decision": decision}],
    }


def _user(record: Record) -> Event:
    """Who asked; one whom nothing proved is called unknown."""
    user: Event = {"name": record.get("principal") or "unknown", "type_id": 1 if record.get("principal") else 0}
    if record.get("principal"):
        user["uid"] = record["principal"]
    if record.get("credential"):
        user["credential_uid"] = record["credential"]
    return user


def _actor(record: Record) -> Event:
    """The person, and as `app_name` the program that acts for them."""
    actor: Event = {"user": _user(record)}
    if record.get("agent"):
        actor["app_name"] = actor["app_uid"] = record["agent"]
    if record.get("issuer"):
        actor["idp"] = {"name": record["issuer"]}
    return actor


def _api(record: Record) -> Event:
    return {
        "operation": record.get("operation")
        or f"{record.get('method') or ''} {record.get('route') or ''}".strip()
        or "unknown",
        "request": {"uid": record["id"]},
        "response": {"code": int(record.get("status") or 0)},
        "service": {"name": "figway"},
    }


def _request(record: Record) -> Event:
    return {"http_method": record.get("method") or "", "url": {"path": record.get("route") or ""}}


def _endpoint(record: Record) -> Event:
    """Where it came from: the program that called, as far as that is proved, and its address where that is known."""
    endpoint = {"svc_name": record.get("agent") or record.get("principal") or "unknown"}
    return {**endpoint, "ip": record["peer"]} if record.get("peer") else endpoint


def _milliseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)
