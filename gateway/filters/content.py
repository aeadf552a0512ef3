"""Texts that systems behind the gateway answer are data, whatever they say: what in them reads like instructions to a
model is marked in the reply's header, or the reply is refused (`policies/content.yaml`).

It looks at what the caller would be shown. A mark isn't a guarantee: what has none may still be an attack.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from urllib.parse import quote

import orjson

from adapters.contract import Effect, Json
from gateway.call import Call, Principal, Reply
from gateway.errors import ContentRefused
from gateway.pipeline import Stage
from gateway.routing.content_schema import Content, Mode
from gateway.routing.model import Compiled, Route
from gateway.routing.parts import parts_of
from gateway.telemetry.counters import Counter, counter
from gateway.untrusted.scanner import Found, Scanner

HEADER = b"figway-content"
_SMALL = 8 * 1024
"""Bytes that are looked at at once, in some 40 µs; more of them, and what is suspected, on a thread."""
_MOST_TOLD = 8
_MOST_POINTER = 120


class ContentFilters:
    """Makes the filter of each route of a workspace."""

    def __init__(self, compiled: Compiled) -> None:
        policy = compiled.policy_files["content.yaml"]
        assert isinstance(policy, Content)
        self._policy, self._scanner = policy, policy.scanner()
        self._routes = {route.operation_id: route for route in compiled.routes}
        text = "Replies with texts that read like instructions to a model, by the rule that found them."
        self._counts = {rule: counter("figway_content_found_total", text, rule=rule) for rule in self._scanner.ids}

    def of(self, route: Route) -> list[Stage]:
        """The filter of a route; none where its replies are never looked at."""
        modes = self._policy.rules_for(list(parts_of(route, self._routes)))
        if route.content or modes[0] == (None, "off"):
            return []
        return [content(modes, self._scanner, self._counts, writes=route.effect is not Effect.READ)]

    def kept(self, name: str, principal: Principal, value: Json) -> bytes:
        """What `Figway-Content` says of a reply that was kept, of the route of that operationId, when it is told again;
        empty: nothing. Raises `ContentRefused`. Blocks."""
        route = self._routes.get(name)
        mode = (
            "mark" if route is None else _mode(self._policy.rules_for(list(parts_of(route, self._routes))), principal)
        )
        found = [] if mode == "off" else self._scanner.look(orjson.dumps(value).decode())
        if found and mode == "refuse":
            raise _refused(found, changed=True)
        return told(found)


def content(
    modes: Sequence[tuple[str | None, Mode]], scanner: Scanner, counts: Mapping[str, Counter], *, writes: bool
) -> Stage:
    """A filter that looks at replies. `modes`: whom each is about (an agent, `"*"` any agent, None everyone), the
    first that fits holds."""

    def after(call: Call, reply: Reply) -> Awaitable[None] | None:
        # A composite's own reply is looked at, not what its steps bring to it.
        if call.parent is not None or reply.content is not None:
            return None
        mode = _mode(modes, call.principal)
        if mode == "off":
            return None
        encoded = reply.encoded
        if encoded is None:
            encoded = orjson.dumps(reply.body)
            if call.sink is None and not call.fields:  # which make of the value what is sent
                reply.encoded = encoded
        if len(encoded) > _SMALL or scanner.suspects(encoded.decode()):
            return on_thread(call, reply, encoded, mode)
        return None

    async def on_thread(call: Call, reply: Reply, encoded: bytes, mode: Mode) -> None:
        judged(call, reply, await asyncio.to_thread(scanner.look, encoded.decode()), mode)

    def judged(call: Call, reply: Reply, found: Sequence[Found], mode: Mode) -> None:
        if not found:
            return
        for rule in {each.rule for each in found}:
            counts[rule].add()
        rules: dict[str, None] = dict.fromkeys(each.rule for each in found)
        call.noted["content"] = {"rules": list(rules), "refused": mode == "refuse"}
        if mode == "refuse":
            raise _refused(found, changed=writes and not call.trying)
        reply.headers.append((HEADER, told(found)))

    return Stage(after=after)


def _mode(modes: Sequence[tuple[str | None, Mode]], principal: Principal | None) -> Mode:
    agent = None if principal is None else principal.agent
    return next(mode for whom, mode in modes if whom is None or (agent is not None and whom in ("*", agent)))


def told(found: Sequence[Found]) -> bytes:
    """The value of `Figway-Content`: a list (RFC 8941 §3.1) of the item `instructions`, each with its rule and, as a
    JSON Pointer in a fragment's spelling (RFC 6901 §6), its place; eight at most."""
    items = [f'instructions;rule={each.rule};at="{_spelt(each.at)}"' for each in found[:_MOST_TOLD]]
    return ", ".join(items).encode("ascii")


def _spelt(at: str) -> str:
    return quote(at, safe="/~!$&()*+,;=:@")[:_MOST_POINTER]


def _refused(found: Sequence[Found], *, changed: bool) -> ContentRefused:
    errors = [{"pointer": each.at, "detail": f"found by the rule {each.rule}"} for each in found]
    if changed:
        return ContentRefused(
            "The change was made, but its answer isn't shown: texts in it read like instructions to a model.",
            errors=errors,
            fix="Don't send the change again; ask a person to look at the entity.",
        )
    return ContentRefused(
        "The answer isn't shown: texts in it read like instructions to a model.",
        errors=errors,
        fix="Ask a person to look at the entity in the system that keeps it.",
    )
