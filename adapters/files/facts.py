"""What is said of a dataset: what a probe shows, and why there is no record."""

from __future__ import annotations

from typing import Any

from adapters.files.dataset import Dataset
from adapters.files.generation import Generation

_SHOWN = 20


def warnings(dataset: Dataset, generation: Generation | None) -> tuple[str, ...]:
    """What whoever reads a list must know."""
    count = generation.undecodable if generation else 0
    if not count:
        return late(dataset)
    plural = "1 record" if count == 1 else f"{count} records"
    return (
        f"{plural} of {dataset.description.name} can't be decoded; left out here and listed in quarantine",
        *late(dataset),
    )


def late(dataset: Dataset) -> tuple[str, ...]:
    """What whoever reads a record must know, too."""
    return tuple(filter(None, (dataset.late, dataset.unserved)))


def absent(name: str, generation: Generation) -> str:
    """The sentence for a key that no record has."""
    unknown = generation.undecodable
    return f"{name} has no such record" + (f"; {unknown} can't be decoded" if unknown else "")


def facts(dataset: Dataset) -> dict[str, Any]:
    """What a probe shows of a dataset."""
    generation, indexing = dataset.generation, dataset.indexing
    found: dict[str, Any] = {}
    if indexing is not None:
        found["indexing"] = dict(zip(("file", "done", "bytes"), indexing, strict=True))
    if dataset.late is not None:
        found["overdue"] = dataset.late
    if dataset.judging.refused:
        found["refused"] = list(dataset.judging.refused.values())[:_SHOWN]
    if dataset.claims is not None:
        found["claimed"], found["run_out"] = dataset.working
    if generation is None:
        return found
    if dataset.description.config.generations > 1:
        found["generation"] = generation.name
    return found | {
        "records": len(generation),
        "files": len(generation.parts),
        "undecodable": generation.undecodable,
        "waiting": generation.waiting,
        "as_of": generation.as_of.isoformat(),
    }
