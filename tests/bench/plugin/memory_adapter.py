"""An adapter with no system behind it, so that a benchmark sees the gateway alone; found through its entry point."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from adapters.contract import Adapter, Context, Effect, Json, Kind, Operation, Probe, Result, Source, Workspace

_ITEM = {
    "type": "object",
    "properties": {"sku": {"type": "string"}, "name": {"type": "string"}, "on_hand": {"type": "integer"}},
}


class Config(BaseModel):
    """Nothing to configure."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MemoryAdapter:
    """Answers every SKU at once."""

    def __init__(self, name: str) -> None:
        self.name = name

    def operations(self) -> Mapping[str, Operation]:
        schema = {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]}
        return {"item.get": Operation("item.get", Effect.READ, schema, _ITEM)}

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        value = {"sku": input["sku"], "name": "Deep groove ball bearing", "on_hand": 42}
        return Result(value, datetime.now(UTC), (Source(self.name, "item", str(input["sku"])),))

    async def probe(self, context: Context) -> Probe:
        return Probe(True, "always", 0.0)


def build(name: str, config: Config, workspace: Workspace) -> Adapter:
    return MemoryAdapter(name)


KIND = Kind("memory", Config, build)
