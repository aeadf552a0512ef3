"""Each rule fails on adapters that break it: the package that `figway adapter new` makes, with one thing changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from adapters.testing import Sample, bench
from adapters.testing.bench import Broken
from adapters.testing.rules import RULES, ask

CLIENT, ADAPTER, CONFIG, PAGE, SYSTEM = "client.py", "adapter.py", "config.py", "README.md", "conformance.py"

# What keeps a connection for all calls, without telling whose answer comes.
_KEPT = [
    (CLIENT, "reader, writer = await asyncio.open_connection(config.host, config.port, limit=_LONGEST)",
     "reader, writer = self._kept = getattr(self, '_kept', None) or await asyncio.open_connection("
     "config.host, config.port, limit=_LONGEST)"),
    (CLIENT, "writer.close()", "pass"),
]  # fmt: skip
_BLOCKING = [
    (CLIENT, "import asyncio\n", "import asyncio\nimport socket\n"),
    (CLIENT, "reader, writer = await asyncio.open_connection(config.host, config.port, limit=_LONGEST)",
     "writer = (await asyncio.sleep(0.001), socket.create_connection((config.host, config.port)))[1]"),
    (CLIENT, "writer.write(line)", "writer.sendall(line)"),
    (CLIENT, "await writer.drain()", "pass"),
    (CLIENT, "await reader.readline()", "writer.makefile('rb').readline()"),
]  # fmt: skip
_TIMED = [*_BLOCKING, (CLIENT, "config.port)))[1]", "config.port), 0.5))[1]")]
_SEND_AGAIN = [
    (CLIENT, "    async def ask(self, request: Mapping[str, Json], seconds: float) -> Json:\n",
     "    async def ask(self, request: Mapping[str, Json], seconds: float) -> Json:\n"
     "        try:\n            return await self.once(request, seconds)\n"
     "        except UnknownOutcome:\n"
     "            return await self.once({**request, 'id': 'new-' + request['id']}, 5)\n"
     "\n"
     "    async def once(self, request: Mapping[str, Json], seconds: float) -> Json:\n"),
]  # fmt: skip
_CLAIM = "    async def probe(self, context"
_DRY_RUN = """    def tries(self, operation):
        return {tries}

    async def dry_run(self, operation, input, context):
        {run}

"""
_LOOKUP = """    async def lookup(self, operation, idempotency_key, context):
        return {found}

"""
_BULK = """    async def bulk(self, operation, input, context):
        yield [{"id": "a", "name": "Item a"}]

"""

BREACHES = [
    ("offline", "connects", [
        (ADAPTER, "    return StoreAdapter(name", "    import socket\n    socket.create_connection("
         "(config.host, config.port)).close()\n    return StoreAdapter(name")]),
    ("offline", "its name is 'other'", [(ADAPTER, "self._name = name", "self._name = 'other'")]),
    ("offline", "calls itself", [(ADAPTER, "    operation.name: operation", "    operation.name.upper(): operation"),
                                 (ADAPTER, "_OPERATIONS.get(operation)", "_OPERATIONS.get(operation.upper())")]),
    ("offline", "is no JSON Schema", [(ADAPTER, '_TEXT = {"type": "string"}', '_TEXT = {"type": "text"}')]),
    ("offline", "its effect is another", [(ADAPTER, "Effect.READ", "Effect.WRITE")]),
    ("config", "unknown key", [(CONFIG, 'extra="forbid"', 'extra="ignore"')]),
    ("config", "a literal secret in token", [(CONFIG, "token: Secret | None", "token: str | None"),
                                             (CLIENT, ".get_secret_value()", "")]),
    ("answers", "isn't an instant in UTC", [(ADAPTER, "datetime.now(UTC)", "datetime.now()")]),
    ("answers", "a Decimal", [(ADAPTER, "await self._client.ask({\"do\": operation, **request}, context.remaining())",
     "{**await self._client.ask({\"do\": operation, **request}, 5.0), 'a': __import__('decimal').Decimal(1)}")]),
    ("answers", "doesn't name the source", [(ADAPTER, "(Source(self._name, operation, input.get(\"id\"), as_of=now),)",
                                             "()")]),
    ("answers", "doesn't fit its output's schema", [(ADAPTER, '"required": ["id", "name"]}',
                                                     '"required": ["id", "colour"]}')]),
    ("answers", "not a Result", [(ADAPTER, "return Result(value,", "return tuple((value,"),
                                 (ADAPTER, "as_of=now),))", "as_of=now),)))")]),
    ("errors", "it should be NotFound", [(CLIENT, '"not_found": NotFound', '"not_found": Refused')]),
    ("errors", "it should be Invalid", [(CLIENT, '"invalid": Invalid', '"invalid": DoNotRetry')]),
    ("errors", "KeyError", [(ADAPTER, "_OPERATIONS.get(operation)", "_OPERATIONS[operation]")]),
    ("errors", "item.get without id", [(ADAPTER, "if name not in input]", "if False]"),
                                       (ADAPTER, "dict(input)", "{'id': input['id']} if input else {}")]),
    ("deadline", "still waits", [(CLIENT, "asyncio.timeout(seconds)", "asyncio.timeout(None if seconds else 0)")]),
    ("deadline", "as if the same call must fail again", [(CLIENT, "raise UnknownOutcome(\"The system gave",
                                                          "raise BadReply(\"The system gave")]),
    ("deadline", "isn't its own", _KEPT),
    ("deadline", "stands still", _BLOCKING),
    ("unreachable", "ConnectionRefusedError", [(CLIENT, "except OSError as error:",
                                                "except TimeoutError as error:")]),
    ("unreachable", "it should be Unavailable", [(CLIENT, "raise Unavailable(", "raise BadReply(")]),
    ("probe", "should say ok=False", [(ADAPTER, "            return Probe(False, error.message",
                                       "            raise\n            return Probe(False, error.message")]),
    ("probe", "is said to be well", [(ADAPTER, "Probe(False, error.message", "Probe(True, error.message")]),
    ("probe", "a system that is well isn't", [(ADAPTER, 'Probe(True, "answers"', 'Probe(False, "answers"')]),
    ("loop", "waits on the event loop", _TIMED),
    ("cancelled", "otherwise than by CancelledError", [(CLIENT, "except OSError as error:",
                                                        "except (OSError, asyncio.CancelledError) as error:")]),
    ("cancelled", "goes on", [(CLIENT, "answer = await reader.readline()",
     "reading = asyncio.ensure_future(reader.readline())\n"
     "                    while not reading.done():\n"
     "                        try:\n                            await asyncio.wait({reading})\n"
     "                        except asyncio.CancelledError:\n                            pass\n"
     "                    answer = reading.result()")]),
    ("cancelled", "isn't its own", _KEPT),
    ("outcome", "it should be UnknownOutcome", [(CLIENT, "sent = True", "pass")]),
    ("outcome", "sent again", _SEND_AGAIN),
    ("outcome", "and never happened", [(ADAPTER, '{"do": operation, **request}',
                                    '{"do": "ping" if operation == "item.put" else operation, **request}')]),
    ("outcome", "had passed", [(CLIENT, "asyncio.timeout(seconds)", "asyncio.timeout(max(1.0, seconds))")]),
    ("garbage", "becomes a result", [
        (CLIENT, "raise BadReply(\"The system's answer can't be understood.\", detail=str(error)) from error",
         "return None"),
        (CLIENT, "if not answer.endswith(b\"\\n\"):", "if not answer:")]),
    ("garbage", "UnicodeDecodeError", [(CLIENT, "except ValueError as error:\n        raise BadReply(\"The system's "
                                        "answer can't", "except ZeroDivisionError as error:\n        raise BadReply("
                                        "\"The system's answer can't")]),
    ("bounded", "takes all of a reply", [(CLIENT, "1024 * 1024", "1024 * 1024 * 1024")]),
    ("secrets", "a secret is let out", [(CLIENT, 'f"The system says: {', 'f"With {self_token()}: {'),
        (CLIENT, "def _value(", "def self_token() -> str:\n    return 'not-for-anybody'\n\n\ndef _value(")]),
    ("secrets", "a secret is let out", [(CLIENT, "        sent = False\n",
     "        sent = False\n        __import__('logging').getLogger('x').debug('asking %s', line)\n")]),
    ("secrets", "a secret is let out", [(ADAPTER, "        self._client = Client(config)\n",
     "        self._client = Client(config)\n        self._shown = config.token.get_secret_value()\n\n"
     "    def __repr__(self) -> str:\n        return self._shown\n")]),
    ("secrets", "told the system's address", [(CLIENT, '"The system gave no answer."',
                                               'f"{self._config.host} gave no answer."')]),
    ("secrets", "told of files or code", [(CLIENT, '"The system gave no answer."',
                                           'f"Traceback in {__file__}"')]),
    ("closed", "still open", _KEPT),
    ("closed", "tasks still run", [(ADAPTER, "        known = _OPERATIONS",
     "        import asyncio\n        self._task = asyncio.ensure_future(asyncio.sleep(60))\n"
     "        known = _OPERATIONS")]),
    ("concurrent", "another's answer", [
        (ADAPTER, "        value = await", "        self._request = request\n        import asyncio\n"
         "        await asyncio.sleep(0)\n        request = self._request\n        value = await")]),
    ("pages", "where 2 were asked for", [(ADAPTER, '"limit": page.limit', '"limit": page.limit + 1')]),
    ("pages", "other items", [(ADAPTER, '"after": page.after', '"after": None')]),
    ("pages", "other items", [(SYSTEM, 'key > (request["after"] or "")', 'key >= (request["after"] or "")')]),
    ("pages", "doesn't answer items and next", [(SYSTEM, '"next": position', '"more": position')]),
    ("claims", "changed the system", [(ADAPTER, _CLAIM, _DRY_RUN.format(
        tries=True, run="return await self.invoke(operation, input, context)") + _CLAIM)]),
    ("claims", "does the opposite", [(ADAPTER, _CLAIM, _DRY_RUN.format(tries=False, run="pass") + _CLAIM)]),
    ("claims", "though it says that it tries it", [(ADAPTER, _CLAIM, _DRY_RUN.format(
        tries=True, run="raise DoNotRetry('No.')") + _CLAIM)]),
    ("claims", "never happened", [(ADAPTER, _CLAIM, _LOOKUP.format(found="{}") + _CLAIM)]),
    ("claims", "that happened", [(ADAPTER, _CLAIM, _LOOKUP.format(found="None") + _CLAIM)]),
    ("claims", "read in bulk", [(ADAPTER, _CLAIM, _BULK + _CLAIM)]),
    ("claims", "the caller may not see", [(ADAPTER, "sorts=False)", "sorts=False, filters_rows=True)")]),
    ("claims", "can be filtered by id", [(ADAPTER, "filters=frozenset()", "filters=None")]),
    ("claims", "isn't by id", [(ADAPTER, "sorts=False)", "sorts=True)")]),
    ("changes", "doesn't say what is changing", [(ADAPTER, _CLAIM,
     "    def capture(self, asked):\n        raise NotImplementedError\n\n" + _CLAIM)]),
    ("docs", "doesn't describe token", [(CONFIG, 'description="Reference to what the system wants to be shown."',
                                         'title="t"')]),
    ("docs", "doesn't tell of concurrency", [(PAGE, "`concurrency`", "concurrency")]),
]  # fmt: skip

# What these adapters never do, they don't do within half a second either.
NEVER = ("still waits", "stands still", "goes on", "still open", "tasks still run")


def _parameters() -> Iterator[Any]:
    """The first breach of each rule is quick."""
    seen = set()
    for number, (rule, says, mutations) in enumerate(BREACHES):
        marks = [pytest.mark.slow] if rule in seen else []
        seen.add(rule)
        yield pytest.param(rule, says, mutations, id=f"{rule}-{number}", marks=marks)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("rule", "says", "mutations"), list(_parameters()))
def test_an_adapter_that_breaks_a_rule_is_told_how(
    made: Any,
    running: Any,
    monkeypatch: pytest.MonkeyPatch,
    rule: str,
    says: str,
    mutations: list[tuple[str, str, str]],
) -> None:
    if says in NEVER:
        monkeypatch.setattr(bench, "GRACE", 0.5)
    with running(made(*mutations), {}) as subject, pytest.raises(Broken) as caught:
        ask(RULES[rule], subject)
    assert says in str(caught.value)


def test_every_rule_has_an_adapter_that_breaks_it() -> None:
    assert {rule for rule, _, _ in BREACHES} == set(RULES)


@pytest.mark.parametrize(
    ("rule", "changes", "says"),
    [
        ("offline", {"reads": []}, "no reads"),
        ("offline", {"reads": [Sample("item.melt")]}, "item.melt"),
        ("answers", {"reads": [Sample("item.get", {"id": 7})]}, "doesn't fit its input's schema"),
        ("errors", {"missing": None, "invalid": None}, "neither"),
        ("outcome", {"write": None}, "give write and written"),
        ("pages", {"listed": None}, "names none as listed"),
        ("pages", {"listed": Sample("item.get", {"id": "a"})}, "doesn't answer items and next"),
    ],
)
def test_a_subject_that_lacks_something_is_told_so(
    made: Any, running: Any, rule: str, changes: Mapping[str, Any], says: str
) -> None:
    with running(made(), changes) as subject, pytest.raises(Broken, match=says):
        ask(RULES[rule], subject)
