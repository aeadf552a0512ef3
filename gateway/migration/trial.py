"""An upstream of which only dry runs are asked."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.capabilities import SupportsDryRun
from adapters.contract import Context, Effect, Json, Result
from adapters.errors import AdapterError, NotTried, Unacknowledged, UnknownOutcome
from gateway.migration.model import Group
from gateway.migration.proofs import Proofs
from gateway.upstream import Upstream


class Trial:
    """Tries writes, and makes none. Where the upstream itself has to prove that it knows dry runs, the first one that
    it doesn't acknowledge is the group's last."""

    def __init__(self, upstream: Upstream, proofs: Proofs, group: Group) -> None:
        self._upstream, self._proofs, self._group = upstream, proofs, group

    async def call(self, operation: str, input: Mapping[str, Json], *, effect: Effect, context: Context) -> Result:
        """What the write would answer now. Raises as the upstream's `call` does, and `NotTried`."""
        upstream, adapter = self._upstream, self._upstream.adapter
        if not isinstance(adapter, SupportsDryRun):
            raise NotTried("The system behind the route has no dry runs; nothing was sent.")
        if upstream.watcher is not None:
            upstream.watcher(operation, "caller", context)
        needs_proof = adapter.tries(operation) is None

        async def tried(within: Context) -> Result:
            # Here, so that the proof is noted also when nobody waits any more.
            if needs_proof:
                return await self._proven(adapter, operation, input, within)
            return await adapter.dry_run(operation, input, within)

        return await upstream.run(tried, effect=effect, context=context._replace(idempotency_key=None))

    resume = look = call

    async def _proven(
        self, adapter: SupportsDryRun, operation: str, input: Mapping[str, Json], context: Context
    ) -> Result:
        state = await self._proofs.claim(self._group)
        if state in ("asked", "stopped"):
            raise NotTried("It isn't proven that the system behind the route knows dry runs; nothing was sent.")
        try:
            result = await adapter.dry_run(operation, input, context)
        except UnknownOutcome as error:
            if state is None or (isinstance(error, Unacknowledged) and error.answered):
                await self._proofs.settle(self._group, "stopped")
            raise
        except AdapterError:  # a definite answer: nothing was sent, or nothing done
            if state is None:
                await self._proofs.settle(self._group, None)
            raise
        if state is None:
            await self._proofs.settle(self._group, "given")
        return result
