"""`missing` in `x-gateway`: routes that no system is behind, beside routes that have one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

GATEWAY = "upstreams:\n  files: {kind: files, root: ROOT, datasets: {d: {match: 'd*.csv', format: csv, key: id}}}\n"
HEAD = 'openapi: 3.1.0\ninfo: {title: M, version: "1"}\npaths:\n'
ROUTE = """
  /PATH/{id}:
    METHOD:
      operationId: NAME
      tags: [PATH]
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        "200":
          description: It.
          content: {application/json: {schema: {type: object, required: [id], properties: {id: SCHEMA}}}}
      x-gateway: BINDING
"""


def route(name: str, binding: str, method: str = "get", schema: str = "{type: string}") -> str:
    text = ROUTE.replace("PATH", name.rpartition("_")[2]).replace("NAME", name).replace("METHOD", method)
    return text.replace("SCHEMA", schema).replace("BINDING", binding)


MOCKED = "{effect: read, missing: mock}"
BOUND = '{effect: read, missing: mock, legacy: {upstream: files, operation: "d.get", input: {id: path.id}}}'
ELSEWHERE = "{effect: read, missing: mock, legacy: {upstream: nowhere, operation: GET /x, input: {id: path.id}}}"
COMPOSED = '{effect: read, compose: {steps: {a: {route: get_new, input: {id: path.id}}}, output: "{id: a.id}"}}'
WHOLE = HEAD + "".join(
    (
        route("get_new", MOCKED),
        route("get_far", ELSEWHERE),
        route("get_none", "{effect: read, missing: fail}"),
        route("put_made", "{effect: idempotent_write, missing: mock}", "put"),
        route("get_both", COMPOSED),
    )
)


def checked(running: ModuleType, folder: Path, contract: str) -> tuple[int, str]:
    gateway = GATEWAY.replace("ROOT", str(folder / "drop"))
    (folder / "drop").mkdir(exist_ok=True)
    running.write_workspace(folder, {"gateway.yaml": gateway, "openapi/m.yaml": contract})
    done = running.figway("check", "--workspace", str(folder))
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def served(running: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("missing")
    code, told = checked(running, folder, WHOLE)
    assert code == 0, told
    for name in ("get_new", "get_far", "put_made"):
        assert f"no system is behind {name}, so its calls are answered by examples, and change nothing" in told
    assert "no system is behind get_none, so its calls fail" in told
    with running.serving(folder) as gateway:
        yield gateway


def kept(client: httpx.Client, path: str) -> Any:
    """What is kept of a call that was made just now: a read is written down a moment after its reply."""
    until = time.monotonic() + 30
    while (answer := client.get(path)).status_code == 404 and time.monotonic() < until:
        time.sleep(0.05)
    return answer.json()


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/new/7"), ("GET", "/far/7"), ("PUT", "/made/7"), ("GET", "/both/7")],
    ids=["no binding", "no such upstream", "a write", "a composite's part"],
)  # fmt: skip
def test_an_example_answers_and_says_so(served: Any, method: str, path: str) -> None:
    with served.client() as wendy:
        answer = wendy.request(method, path)
        lineage = kept(wendy, f"/-/lineage/{answer.headers['figway-lineage']}")
    assert (answer.status_code, answer.json()) == (200, {"id": "7"}), answer.text
    assert (answer.headers["figway-served-by"], answer.headers["figway-mock"]) == ("mock", "true")
    assert answer.headers["cache-control"] == "no-store"
    assert "example" in lineage["note"]


def test_what_is_to_fail_does(served: Any) -> None:
    with served.client() as wendy:
        answer = wendy.get("/none/7")
    assert (answer.status_code, answer.json()["type"]) == (501, "urn:figway:problem:not-built")
    assert "figway-mock" not in answer.headers


def test_they_are_counted_and_named(served: Any, running: ModuleType) -> None:
    with served.client() as wendy:
        ready = wendy.get("/-/ready").json()
    assert (ready["mocked_routes"], ready["upstreams"].keys()) == (3, {"files"})
    assert "MOCK: no system is behind 3 routes, which examples answer: get_far, get_new, put_made" in served.logged()
    told = running.figway("route", "list", "--workspace", str(served.folder), check=True).stdout
    assert told.count("1 (1 mocked)") == 3


@pytest.mark.parametrize(
    ("contract", "sentence"),
    [
        (route("get_a", "{effect: read}"), "a route is served by legacy and/or replacement, or else by compose"),
        (route("get_new", MOCKED) + route("get_b", COMPOSED.replace("read,", "read, missing: mock,")),
         "a route is served by legacy and/or replacement, or else by compose"),
        (route("get_a", ELSEWHERE.replace("missing: mock, ", "")), "gateway.yaml has no upstream 'nowhere'"),
        (route("get_a", "{effect: read, missing: perhaps}"), "missing"),
        (route("get_a", MOCKED, schema='{type: string, pattern: "^(?=a)b"}'), "no example of the reply"),
    ],
    ids=["nothing", "beside compose", "an upstream by mistake", "another word", "nothing to show"],
)  # fmt: skip
def test_what_cant_be_is_told_by_check(running: ModuleType, tmp_path: Path, contract: str, sentence: str) -> None:
    code, told = checked(running, tmp_path, HEAD + contract)
    assert code == 1
    assert sentence in told, told


def test_where_the_upstream_is_there_it_answers(running: ModuleType, tmp_path: Path) -> None:
    contract = HEAD + route("get_d", BOUND)
    code, told = checked(running, tmp_path, contract)
    assert "no system" not in told
    assert "has no operation" in told or code == 0, told
