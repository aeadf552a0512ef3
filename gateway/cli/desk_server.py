"""Control verbs at a running gateway, over `/-/admin` and `/-/approvals`."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from gateway.cli.desk import DeskError, Document, usage

_TIMEOUT = httpx.Timeout(180.0, connect=10.0)
"""A change returns once every worker serves it, and its writes have come to rest."""


class ServerDesk:
    """The author of what is done here is the credential's principal."""

    def __init__(self, server: str) -> None:
        token = os.environ.get("FIGWAY_TOKEN", "")
        if not token:
            raise usage("FIGWAY_TOKEN isn't set: it holds the API key or token to show to the server")
        # The value of a whole Authorization header is taken, too.
        header = token if " " in token else f"Bearer {token}"
        try:
            self._client = httpx.Client(
                base_url=server.rstrip("/"), headers={"authorization": header}, timeout=_TIMEOUT, trust_env=False
            )
        except httpx.InvalidURL as error:
            raise usage(f"'{server}' isn't a URL") from error

    def plan(self, files: Mapping[str, bytes], *, overwrite: bool) -> Document:
        return self._ask("POST", "/-/admin/plan", {"files": _encoded(files), "overwrite_stages": overwrite})

    def apply(
        self, files: Mapping[str, bytes], about: Mapping[str, str | None], *, overwrite: bool, plan_hash: str | None
    ) -> Document:
        plan = self.plan(files, overwrite=overwrite)
        body = {"files": _encoded(files), "overwrite_stages": overwrite, "plan_hash": plan_hash, **about}
        return self._ask("POST", "/-/admin/apply", body, plan["parent"] or 0)

    def groups(self) -> list[Document]:
        items: list[Document] = self._ask("GET", "/-/admin/groups")["items"]
        return items

    def parity(self, group: str) -> Document:
        return self._ask("GET", f"/-/admin/groups/{group}/parity")

    def evidence(self, group: str, days: int) -> Document:
        return self._ask("GET", f"/-/admin/groups/{group}/evidence?days={days}")

    def callers(self, group: str, days: int) -> Document:
        return self._ask("GET", f"/-/admin/groups/{group}/callers?days={days}")

    def brownout(self, group: str, about: Mapping[str, str]) -> Document:
        return self._ask("POST", f"/-/admin/groups/{group}/brownout", dict(about))

    def reconciliation(self, group: str) -> Document:
        return self._ask("GET", f"/-/admin/groups/{group}/reconciliation")

    def sweep(self, group: str, keys: Sequence[str] | None, *, details: bool) -> Document:
        body = {"details": details} | ({} if keys is None else {"keys": keys})
        return self._ask("POST", f"/-/admin/groups/{group}/reconciliation", body)

    def repairs(self, group: str) -> Document:
        return self._ask("GET", f"/-/admin/groups/{group}/repairs")

    def repair(self, group: str, do: str) -> Document:
        return self._ask("POST", f"/-/admin/groups/{group}/repairs", {"do": do})

    def writes(self, group: str) -> Document:
        return self._ask("GET", f"/-/admin/groups/{group}/writes")

    def settle(self, group: str, id: str, *, happened: bool) -> Document:
        return self._ask("POST", f"/-/admin/groups/{group}/writes/{quote(id, safe='')}", {"happened": happened})

    def plan_flip(self, group: str, wanted: Mapping[str, Any]) -> Document:
        return self._ask("POST", f"/-/admin/groups/{group}/plan", dict(wanted))

    def flip(
        self, group: str, wanted: Mapping[str, Any], about: Mapping[str, str | None], *, plan_hash: str | None
    ) -> Document:
        body = {**wanted, **about, "plan_hash": plan_hash}
        return self._ask("POST", f"/-/admin/groups/{group}/flip", body, self._version())

    def rollback(self, group: str, about: Mapping[str, str | None]) -> Document:
        return self._ask("POST", f"/-/admin/groups/{group}/rollback", dict(about), self._version())

    def purge(self, group: str | None, entity: tuple[str, str] | None) -> Document:
        body = {"group": group, "entity": None if entity is None else dict([entity])}
        return self._ask("POST", "/-/admin/cache/purge", {name: each for name, each in body.items() if each})

    def dead(self) -> list[Document]:
        items: list[Document] = self._ask("GET", "/-/events/dead")["items"]
        return items

    def replay(self, subscriber: str) -> Document:
        return self._ask("POST", "/-/events/replay", {"subscriber": subscriber})

    def readiness(self, calls: int) -> Document:
        return self._ask("POST", f"/-/admin/readiness?calls={calls}")

    def history(self, limit: int) -> list[Document]:
        items: list[Document] = self._ask("GET", f"/-/admin/snapshots?limit={limit}")["items"]
        return items

    def snapshot(self, version: int) -> tuple[Document, dict[str, bytes]]:
        found = self._ask("GET", f"/-/admin/snapshots/{version}")
        return found, {path: base64.b64decode(text) for path, text in found.pop("contents").items()}

    def approvals(self, *, pending: bool) -> list[Document]:
        items: list[Document] = self._ask("GET", f"/-/approvals{'?state=pending' if pending else ''}")["items"]
        return items

    def approval(self, id: str) -> Document:
        return self._ask("GET", f"/-/approvals/{quote(id, safe='')}")

    def decide(self, id: str, reason: str, *, approve: bool) -> Document:
        verb = "approve" if approve else "deny"
        return self._ask("POST", f"/-/approvals/{quote(id, safe='')}/{verb}", {"reason": reason})

    def stops(self) -> list[Document]:
        items: list[Document] = self._ask("GET", "/-/admin/stops")["items"]
        return items

    def stop(self, named: Mapping[str, str | None], reason: str) -> Document:
        return self._ask("POST", "/-/admin/stops", {**named, "reason": reason})

    def resume(self, id: str) -> Document:
        return self._ask("DELETE", f"/-/admin/stops/{quote(id, safe='')}")

    def close(self) -> None:
        self._client.close()

    def _version(self) -> int:
        return int(self.history(1)[0]["version"])

    def _ask(self, method: str, path: str, body: Document | None = None, version: int | None = None) -> Document:
        headers = {} if version is None else {"if-match": f'"{version}"'}
        try:
            response = self._client.request(method, path, json=body, headers=headers)
            found: Document = response.json()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeskError(f"the server doesn't answer: {error or type(error).__name__}") from error
        except ValueError as error:
            raise DeskError(f"the server's answer ({response.status_code}) isn't a gateway's") from error
        if response.is_success:
            return found
        fix = f" {found['fix']}" if found.get("fix") else ""
        details = [str(each.get("detail")) for each in found.get("errors", ())]
        raise DeskError(f"{found.get('detail', response.reason_phrase)}{fix}", details)


def _encoded(files: Mapping[str, bytes]) -> dict[str, str]:
    return {path: base64.b64encode(content).decode() for path, content in files.items()}
