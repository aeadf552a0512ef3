"""The file of deliveries, for the event loop: opened when it is first asked, on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from gateway.feeds.deliveries import Deliveries
from gateway.store.offload import Offload

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Kept:
    """`await kept(Deliveries.place, "billing", 0)`: one of the file's methods; raises `StoreError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Deliveries | None = None
        self._thread = Offload(threads=1, waiting=256)

    async def __call__(self, do: Callable[Concatenate[Deliveries, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The method's result."""
        return await self._thread(lambda: do(self._opened(), *args, **kwargs))

    def close(self) -> None:
        """Waits for what is under way, and closes the file."""
        self._thread.close()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> Deliveries:
        if self._file is None:
            self._file = Deliveries(self._path)
        return self._file
