"""What is captured of an upstream: `changes` of `gateway.yaml`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.capabilities import SupportsForm, SupportsSharing
from adapters.changes import Asked, Form
from adapters.contract import Adapter
from gateway.routing.captured_operations import GetsModel, PagesModel, Spelling, form_of, path_of
from gateway.routing.units import Duration, Size

_SPELT = "1"
"""Another one where this code makes other rows of the same answers than before."""
Method = Literal["slot", "binlog", "outbox", "watermark", "diff"]


class CaptureModel(BaseModel):
    """What is captured, and how its changes are known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method = Field(
        description="slot (PostgreSQL), binlog (MariaDB), outbox (triggers), watermark (a column that grows), or diff "
        "(all is read and compared)."
    )
    table: str | None = Field(
        default=None, min_length=1, description="The table or dataset; left out: what the capture is called."
    )
    operation: str | None = Field(
        default=None, min_length=1, description="In place of a table: a read operation whose answer is compared."
    )
    input: dict[str, Any] = Field(default_factory=dict, description="The operation's input.")
    items: str = Field(default="items", description="JMESPath over the operation's result: the list of entities.")
    key: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), max_length=16, description="The members that tell an operation's entities apart."
    )
    pages: PagesModel | None = Field(default=None, description="How an operation is read page by page.")
    filters: dict[str, str] = Field(
        default_factory=dict,
        max_length=50,
        description="Input members of the operation by which it answers only entities whose member equals them.",
    )
    gets: GetsModel | None = Field(
        default=None, description="The operation that answers one of these entities by its key."
    )
    column: str | None = Field(
        default=None, min_length=1, description="With watermark: the column that each change makes greater."
    )
    overlap: Duration = Field(
        default=60.0, description="With watermark: how far back it looks each time, for what is committed late."
    )
    every: Duration | None = Field(
        default=None,
        description="How often all is read and compared: 1h with watermark, 1m with an operation's diff.",
    )
    most_deletes: int = Field(
        default=20, ge=0, le=100, description="Of 100 rows, how many may be gone at once before somebody has to agree."
    )
    keeps: Size = Field(
        default=2**30, description="Beyond how much that the source keeps for it an alarm is raised, such as 1GiB."
    )

    @model_validator(mode="after")
    def _fits(self) -> CaptureModel:
        polled = self.method == "watermark" or self.operation is not None
        if self.operation is not None and (self.method != "diff" or self.table is not None or not self.key):
            raise ValueError("an operation is captured by method diff, with a key and without a table")
        if self.operation is None and (self.key or self.input or self.items != "items"):
            raise ValueError("key, input and items are an operation's")
        if self.operation is None and (self.pages is not None or self.filters or self.gets is not None):
            raise ValueError("pages, filters and gets are an operation's")
        if (self.column is None) == (self.method == "watermark"):
            raise ValueError("a column is what method watermark needs, and it alone")
        if self.every is not None and not polled:
            raise ValueError("every is for method watermark, and for an operation's diff")
        return self

    def asked(self, upstream: str, name: str) -> Asked:
        """As an adapter is asked for it."""
        return Asked(name, self.table or name, self.method, f"figway_{upstream}")

    def digest(self, form: Form | None) -> str:
        """Another one where it is captured, or its rows are spelt, otherwise: then a new replica is built."""
        parts = {"method", "table", "operation", "input", "items", "key", "column", "pages"}
        what = self.model_dump_json(include=parts)
        return hashlib.sha256((_SPELT + what + (form.digest() if form is not None else "")).encode()).hexdigest()

    def form(self, adapter: Adapter, name: str) -> Form | None:
        """What its rows can be asked for; None: nothing."""
        if self.operation is not None:
            found = adapter.operations().get(self.operation)
            return None if found is None or found.is_list else form_of(found, self.items, self.key)
        if not isinstance(adapter, SupportsForm):
            return None
        return adapter.form(self.table or name)


class Materialized(NamedTuple):
    """Where an operation is answered without the upstream: the capture `UPSTREAM.CAPTURE` of its table."""

    capture: str
    digest: str
    form: Form
    verb: Literal["get", "list"]
    spelling: Spelling | None = None
    """How the operation is asked and tells; None: as a table's is."""

    @property
    def after(self) -> str:
        """The input member that says where a page begins."""
        return "after" if self.spelling is None else self.spelling.after


def materialized(
    upstream: str, changes: Mapping[str, CaptureModel], adapter: Adapter, operation: str
) -> Materialized | None:
    """The capture from whose rows an operation can be answered, for whoever calls; None: there is none."""
    if not isinstance(adapter, SupportsSharing) or adapter.reads_caller(operation):
        return None
    for name, model in changes.items():
        form, found = model.form(adapter, name), _verb(model, name, operation)
        if form is not None and found is not None:
            verb, spelling = found
            return Materialized(f"{upstream}.{name}", model.digest(form), form, verb, spelling)
    return None


def _verb(model: CaptureModel, name: str, operation: str) -> tuple[Literal["get", "list"], Spelling | None] | None:
    """What of a capture's rows an operation asks for, and how; None: it asks for something else."""
    if model.operation is None:
        table, _, verb = operation.rpartition(".")
        asked = verb in ("get", "list") and table == (model.table or name)
        return (cast(Literal["get", "list"], verb), None) if asked else None
    if model.gets is not None and model.gets.operation == operation:
        return "get", Spelling(path_of(model.gets.item), model.gets.key)
    if model.operation == operation:
        return "list", _listing(model)
    return None


def _listing(model: CaptureModel) -> Spelling:
    pages, within = model.pages, path_of(model.items)
    if pages is None:
        return Spelling(within, fixed=model.input, filters=model.filters)
    fixed = {name: value for name, value in model.input.items() if name not in (pages.limit, pages.after)}
    return Spelling(within, (), fixed, model.filters, pages.limit, pages.after, path_of(pages.next))
