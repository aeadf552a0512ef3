"""The demo estate as one thing that starts and stops."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

from gateway.demo.batch.cobol import BatchFailed
from gateway.demo.batch.run import run_batch
from gateway.demo.erp.servers import ServerFailed
from gateway.demo.far import far_workspace
from gateway.demo.place import HERE, workspace_dir
from gateway.demo.systems import Engine, Spec, Systems, missing_programs

_PATIENCE = 30.0
_TICK = 0.02
_TAIL = 800


class EstateFailed(RuntimeError):
    """The estate can't start; the message says in a sentence why and what to do."""


class Estate:
    """All systems on free loopback ports, their files under `folder`.

    `erp` is the database's engine. `latency`: seconds that each answer of the CRM, of a database server and of the
    files, which are at an SFTP server then, takes longer. `every`: seconds between two runs of the batch. `keep`: go on
    with the data of the last start, if whole.
    """

    def __init__(
        self, folder: Path, *, erp: Engine = "sqlite", latency: float = 0.0, every: float = 10.0, keep: bool = False
    ) -> None:
        self.folder = folder.resolve()
        self._engine = erp
        self._latency = latency
        self._every = every
        self._keep = keep
        self._keeper: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._exited: dict[str, int] = {}
        self._systems: Systems | None = None
        self._samples: dict[str, str] = {}

    async def __aenter__(self) -> Estate:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Makes the data, starts every server and waits until each answers; raises EstateFailed, leaving nothing."""
        if problems := await asyncio.to_thread(lambda: list(missing_programs())):
            raise EstateFailed("; ".join(problems))
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            await self._start()
        except (BatchFailed, ServerFailed, FileNotFoundError, CalledProcessError) as error:
            await self.stop()
            raise EstateFailed(str(error)) from error
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        await self._start_keeper()
        complete = self.folder / f"complete.{self._engine}"
        fresh = not (self._keep and complete.exists())
        if fresh:
            await asyncio.to_thread(_emptied, self.folder)
        systems = self._systems = Systems(self.folder, self._engine, self._latency, self._every)
        world = await asyncio.to_thread(systems.seed) if fresh else None
        (self.folder / "crm.switch").write_text(json.dumps({"latency": self._latency}))
        specs = await asyncio.to_thread(lambda: list(systems.specs()))
        for spec in specs:
            await self._launch(spec)
        if (erp := systems.erp_spec()) is not None:
            await self._launch(erp)
            await self._up(erp)
            if world is not None and systems.server is not None:
                await asyncio.to_thread(systems.fill_erp, world)
        await asyncio.gather(*(self._up(spec) for spec in specs))
        if world is not None:
            complete.write_text(json.dumps(world.samples()))
        self._samples = json.loads(complete.read_text())

    async def _start_keeper(self) -> None:
        self._keeper = await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(HERE / "keeper.py"), str(self.folder),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert self._keeper.stdout is not None
        said = json.loads(await self._keeper.stdout.readline() or "{}")
        if not said.get("ready"):
            raise EstateFailed(f"another demo runs in {self.folder}: end it, or start this one in another folder")
        self._watch = asyncio.create_task(self._heed(self._keeper.stdout))

    async def _heed(self, stdout: asyncio.StreamReader) -> None:
        async for line in stdout:
            said = json.loads(line)
            self._exited[said["name"]] = said["exited"]

    async def _launch(self, spec: Spec) -> None:
        assert self._keeper is not None
        assert self._keeper.stdin is not None
        known = {"name": spec.name, "argv": spec.argv, "env": spec.env, "cwd": spec.cwd, "user": spec.user}
        line = json.dumps({**known, "stop": spec.stop, "log": str(self.folder / f"{spec.name}.log")})
        self._keeper.stdin.write(line.encode() + b"\n")
        await self._keeper.stdin.drain()

    async def _up(self, spec: Spec) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE
        while loop.time() < until:
            if spec.name in self._exited:
                break
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", spec.port)
            except OSError:
                await asyncio.sleep(_TICK)
                continue
            writer.close()
            return
        log = self.folder / f"{spec.name}.log"
        said = log.read_text(errors="replace")[-_TAIL:].strip() if log.exists() else ""
        raise EstateFailed(f"{spec.name} of the demo estate didn't come up; its log {log} ends: {said}")

    async def stop(self) -> None:
        """Ends every server; the data stays until the next start. Calling it again does nothing."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        assert keeper.stdin is not None
        keeper.stdin.close()
        await keeper.wait()
        if self._watch is not None:
            await self._watch
        if self._systems is not None and not self._keep:
            await asyncio.to_thread(self._systems.forget)
        # The closed pipes' transports end on the loop's next turns.
        await asyncio.sleep(0)

    async def run_batch(self) -> int:
        """Runs the work queue's batch now; answers how many tasks it took over. Raises BatchFailed."""
        return await asyncio.to_thread(run_batch, self._running().folders)

    def environment(self) -> dict[str, str]:
        """The variables that the workspace's gateway.yaml refers to."""
        systems = self._running()
        key = {} if systems.sftp is None else {"DROP_KEY": systems.sftp.key.read_text()}
        return key | {
            "CRM_URL": f"http://127.0.0.1:{systems.ports['crm']}/soap",
            "CRM_PASSWORD": systems.password,
            "ERP_DSN": systems.dsn,
            "DROP_DIR": str(systems.folders.drop),
            "CRM_NEXT_URL": f"http://127.0.0.1:{systems.ports['crm_next']}",
            "CRM_NEXT_TOKEN": systems.token,
        }

    def workspace(self) -> Path:
        """The workspace to be served: the demo's, or what it is while the files are far away."""
        place = self._running().place()
        if place is None:
            return workspace_dir()
        return far_workspace(self.folder / "workspace", place, self._latency)

    def facts(self) -> dict[str, Any]:
        """`{samples: {customer_id, sku, invoice_number}, estate: {…}}`: where everything is and what to ask it for."""
        environment, ports = self.environment(), self._running().ports
        crm, crm_next = environment["CRM_URL"], environment["CRM_NEXT_URL"]
        estate = {
            "crm": {
                "wsdl": f"{crm}?wsdl",
                "control": f"http://127.0.0.1:{ports['control']}/control",
                "user": "figway",
                "password": environment["CRM_PASSWORD"],
            },
            "erp": {"dsn": environment["ERP_DSN"]},
            "files": {"dir": environment["DROP_DIR"], "control": f"http://127.0.0.1:{ports['batch']}/run"},
            "crm_next": {"url": crm_next, "control": f"{crm_next}/control", "token": environment["CRM_NEXT_TOKEN"]},
        }
        if (sftp := self._running().sftp) is not None:
            estate["files"] |= {
                "host": "127.0.0.1", "port": str(ports["far_sftp"]), "user": sftp.user, "host_key": sftp.host_key,
                "private_key": str(sftp.key),
            }  # fmt: skip
        return {"samples": dict(self._samples), "estate": estate}

    def _running(self) -> Systems:
        if self._systems is None:
            raise RuntimeError("the estate isn't started")
        return self._systems


def _emptied(folder: Path) -> None:
    """Removes everything but the keeper's lock."""
    for each in folder.iterdir():
        if each.name == "lock":
            continue
        shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
