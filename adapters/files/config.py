"""The configuration of a files upstream, as `gateway.yaml` holds it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from adapters.callers import LONGEST_NAME, CallerName
from adapters.files.columns import Column, column
from adapters.files.durations import Duration
from adapters.files.places.config import Place
from adapters.secret import Reference


def _kept(value: Any) -> Any:
    # Pydantic would turn a Reference into a plain str and lose that it is missing.
    if not isinstance(value, str):
        raise ValueError("must be a folder's path, or a reference such as env:DROP_DIR")
    return value if isinstance(value, Reference) else Reference(value, value)


Folder = Annotated[Any, BeforeValidator(_kept), WithJsonSchema({"type": "string"})]

Compression: TypeAlias = Literal["gzip", "bz2", "xz", "zstd", "zip"]

FOLDER = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$"

MOST_COLUMNS = 10_000

_FROZEN = ConfigDict(extra="forbid", frozen=True)


class Due(BaseModel):
    """When a new file must have come; what is late is told with each answer and by the probe."""

    model_config = _FROZEN

    by: str = Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Time of day, such as 06:00.")
    time_zone: str = Field("UTC", description="Of that time, such as Europe/Zurich.")
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        ("mon", "tue", "wed", "thu", "fri", "sat", "sun"), min_length=1, description="The days it must come on."
    )
    early: Duration = Field(21600.0, gt=0, le=604800, description="A file may be so much older than that moment.")

    @model_validator(mode="after")
    def _zone(self) -> Due:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"time zone '{self.time_zone}' isn't known") from None
        return self


class Arrival(BaseModel):
    """When a file counts as whole. Without a marker: no writer has it open, or it hasn't changed for a while."""

    model_config = _FROZEN

    stable_for: Duration = Field(
        default=0.2,
        ge=0,
        description="Unchanged for so long, where the system can't tell whether a writer has it open.",
    )
    marker: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="FILE is whole when FILE + this suffix is there, e.g. '.done'.",
    )
    manifest: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="FILE is whole when it is what FILE + this suffix says: JSON with sha256, bytes, records.",
    )
    due: Due | None = Field(default=None, description="When a new file must have come.")


Columns = Annotated[dict[str, Annotated[Column, BeforeValidator(column)]], Field(min_length=1, max_length=MOST_COLUMNS)]


class CsvOptions(BaseModel):
    """The dialect of a CSV file, and its columns."""

    model_config = _FROZEN

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quotechar: str | None = Field('"', min_length=1, max_length=1, description="null: quotes are text like any other.")
    doublequote: bool = Field(default=True, description="A quote inside a quoted field is doubled.")
    escapechar: str | None = Field(default=None, min_length=1, max_length=1)
    skipinitialspace: bool = Field(default=False, description="Spaces behind a delimiter are no part of the field.")
    skip: int = Field(default=0, ge=0, le=10_000, description="Lines in front of the header that are no records.")
    comment: str | None = Field(
        default=None, min_length=1, max_length=8, description="What begins a line of no record."
    )
    header: bool = Field(default=True, description="The first record names the columns.")
    ragged: bool = Field(default=False, description="A record may lack its last fields: they have no value.")
    nulls: tuple[str, ...] = Field(default=(), description="Texts that stand for no value, in every column.")
    columns: Columns | None = Field(
        default=None, description="Name and type of the columns; without it all of the header's, as text."
    )


class ControlRecord(BaseModel):
    """A first or last record that says what the file holds."""

    model_config = _FROZEN

    starts: str = Field(min_length=1, max_length=100, description="The text that it begins with, such as TRL.")
    copybook: str | None = Field(None, description="Path of its copybook; else that of the dataset.")
    record: str | None = Field(None, description="Which 01 record of the copybook it is.")
    columns: Columns | None = Field(None, description="Its fields in CSV (in order behind the first) and fixed width.")
    count: str | None = Field(None, description="Its field with the number of records between.")
    sums: dict[str, str] = Field(
        default_factory=dict, max_length=20, description="Field of the records → its field with their sum."
    )


class Control(BaseModel):
    """The control records of each file."""

    model_config = _FROZEN

    header: ControlRecord | None = None
    trailer: ControlRecord | None = None

    @model_validator(mode="after")
    def _some(self) -> Control:
        if self.header is None and self.trailer is None:
            raise ValueError("name header or trailer")
        return self


class Claim(BaseModel):
    """Files are worked on one by one, each by one owner at a time."""

    model_config = _FROZEN

    folder: str = Field(pattern=FOLDER, description="Where claimed, finished and rejected files go.")
    lease: Duration = Field(300.0, ge=1, le=86400, description="How long a claim lasts unless it is renewed.")
    archive: str = Field(
        "%Y-%m-%d",
        pattern=r"^[A-Za-z0-9_-]*%[Ymd]([A-Za-z0-9_/-]|%[Ymd])*$",
        max_length=100,
        description="The folder of a day below 'done' in which finished files are kept.",
    )
    keep: Duration = Field(90 * 86400.0, ge=3600, le=3650 * 86400, description="How long finished files are kept.")


class Dataset(BaseModel):
    """Files of one shape that together are one set of records with a key."""

    model_config = _FROZEN

    match: str | tuple[str, ...] = Field(description="Glob or globs, relative to root; an earlier one's record wins.")
    format: Literal[
        "csv", "copybook", "fixed", "json", "json_lines", "xml", "excel", "dbf", "parquet", "x12", "edifact"
    ] = Field(description="How the files are laid out.")
    compression: Compression | None = Field(default=None, description="What the file is packed with.")
    copybook: str | None = Field(default=None, description="Path of the copybook in the workspace.")
    code_page: str | None = Field(
        default=None, description="cp037, ascii, latin-1, utf-8 …; for csv the default is utf-8."
    )
    record_format: Literal["F", "V", "VB", "text"] = Field(default="F", description="How records are told apart.")
    key: str = Field(description="The field that names a record, as it is called in JSON; dotted inside groups.")
    index: tuple[str, ...] = Field(
        default=(),
        max_length=8,
        description="Further fields by which lists of a big dataset are sorted and found without reading all of it.",
    )
    append: str | None = Field(
        default=None, description="Name of the new file per record, e.g. 'in/TASK-{task_id}.DAT'."
    )
    replace: str | None = Field(
        default=None, description="Name of the file that is written as a whole, e.g. 'stock.csv'."
    )
    generations: int = Field(
        default=1, ge=1, le=100, description="How many generations can be read, the current one among them."
    )
    owner: str | None = Field(
        default=None, description="The text field of an appended record that says who wrote it; the gateway fills it."
    )
    arrival: Arrival = Arrival()
    claim: Claim | None = Field(default=None, description="Files are claimed, and then finished or rejected.")
    control: Control | None = Field(default=None, description="Records that say what each file holds.")
    options: dict[str, Any] = Field(default_factory=dict, description="Choices of the format; see README.")

    @property
    def patterns(self) -> tuple[str, ...]:
        """The globs, the one whose records win first."""
        return (self.match,) if isinstance(self.match, str) else self.match


class Exchange(BaseModel):
    """Requests written as files, whose answers come as files with the same key."""

    model_config = _FROZEN

    request: str = Field(description="The dataset that requests are appended to; the gateway fills its key.")
    answer: str = Field(description="The dataset in which answers have the key of their request.")
    folder: str = Field(
        pattern=FOLDER, description="Where requests and answers are kept, on the file system of the others."
    )
    keep: Duration = Field(
        30 * 86400.0, ge=3600, le=3650 * 86400, description="How long they are, and a key isn't used again."
    )


class Config(BaseModel):
    """A folder and the datasets in it."""

    model_config = _FROZEN

    root: Folder = Field(default=None, description="The folder; nothing outside of it is ever read or written.")
    place: Place | None = Field(default=None, description="Where the files are, in the place of root.")
    datasets: dict[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")], Dataset] = Field(
        min_length=1, description="The datasets by name."
    )
    exchanges: dict[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")], Exchange] = Field(
        default_factory=dict, description="Requests and answers as files: name → exchange."
    )
    callers: dict[CallerName, Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]] | None = Field(
        default=None,
        min_length=1,
        description="What stands in an owner field, by principal, role:NAME, or '*' for everyone else; who isn't named "
        "is refused. Left out: the principal itself.",
    )

    @model_validator(mode="after")
    def _somewhere(self) -> Config:
        if (self.root is None) == (self.place is None):
            raise ValueError("name root, the folder, or else place")
        return self

    @model_validator(mode="after")
    def _written(self) -> Config:
        if self.callers is not None and all(dataset.owner is None for dataset in self.datasets.values()):
            raise ValueError("callers are written into an owner field: name one in a dataset")
        return self
