"""Dead letters of this host, beside its gateway or without one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from gateway.cli.desk import DeskError, Document
from gateway.feeds.deliveries import MOST_SHOWN, Deliveries
from gateway.feeds.documents import dead_document
from gateway.store.contract import StoreError
from gateway.store.place import StateFolder

_T = TypeVar("_T")


def dead_of(folder: StateFolder) -> list[Document]:
    """What subscribers didn't take, oldest first."""
    return [dead_document(each) for each in _in_file(folder, lambda file: file.dead(MOST_SHOWN))]


def replayed(folder: StateFolder, subscriber: str) -> Document:
    """Asks for a subscriber's dead letters to be sent again."""
    return {"subscriber": subscriber, "dead": _in_file(folder, lambda file: file.replay(subscriber))}


def _in_file(folder: StateFolder, do: Callable[[Deliveries], _T]) -> _T:
    if not folder.deliveries.exists():
        raise DeskError("no subscriber has been told of events here yet: does a gateway serve this workspace?")
    try:
        with closing(Deliveries(folder.deliveries)) as file:
            return do(file)
    except StoreError as error:
        raise DeskError(str(error)) from error
