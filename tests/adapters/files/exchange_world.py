"""An exchange of requests and answers as files, and what answers the requests."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

ASKING = {
    "requests": {
        "match": "out/R-*.csv",
        "format": "csv",
        "key": "id",
        "append": "out/R-{id}.csv",
        "options": {"columns": {"id": "text", "sku": "text", "quantity": "integer"}},
    },
    "answers": {
        "match": "in/A-*.csv",
        "format": "csv",
        "key": "id",
        "options": {"columns": {"id": "text", "price": "decimal"}},
    },
}
EXCHANGES = {"quote": {"request": "requests", "answer": "answers", "folder": "kept/quotes"}}


class Legacy:
    """What answers: it takes each request away, and puts an answer in the other folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[str] = []
        self.answering = True
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def take(self) -> None:
        """Does one round."""
        for path in sorted((self.folder / "out").glob("R-*.csv")):
            id = path.read_text().splitlines()[1].split(",")[0]
            path.unlink()
            self.seen.append(id)
            if self.answering:
                self.answer(id)

    def answer(self, *ids: str, price: str = "12.50") -> None:
        """One file for these requests."""
        temporary = self.folder / "in/answer.tmp"
        temporary.write_text("id,price\n" + "".join(f"{id},{price}\n" for id in ids))
        os.replace(temporary, self.folder / f"in/A-{ids[0]}.csv")

    async def asked(self, count: int) -> None:
        """Waits until so many requests came."""

        def wait() -> None:
            while len(self.seen) < count:
                assert not self._ending.wait(0.02)

        await asyncio.to_thread(wait)

    def _run(self) -> None:
        while not self._ending.wait(0.02):
            self.take()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()
