"""What is said of a dataset: what a probe shows, and why there is no record."""

from __future__ import annotations

from typing import Any

from adapters.files.dataset import Dataset
from adapters.files.generation import Generation


def absent(name: str, generation: Generation) -> str:
    """The sentence for a key that no record has."""
    unknown = generation.undecodable
    return f"{name} has no such record" + (f"; {unknown} can't be decoded" if unknown else "")


def facts(dataset: Dataset) -> dict[str, Any]:
    """What a probe shows of a dataset."""
    generation, indexing = dataset.generation, dataset.indexing
    progress = {} if indexing is None else {"indexing": dict(zip(("file", "done", "bytes"), indexing, strict=True))}
    if generation is None:
        return progress
    return progress | {
        "records": len(generation),
        "files": len(generation.parts),
        "undecodable": generation.undecodable,
        "waiting": generation.waiting,
        "as_of": generation.as_of.isoformat(),
    }
