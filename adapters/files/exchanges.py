"""From the configuration of exchanges to what they are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adapters.errors import ConfigProblem
from adapters.files.asking import LONGEST_KEY, SHORTEST_KEY, Parts, room
from adapters.files.config import Config
from adapters.files.dataset import Dataset, Description
from adapters.files.folder import Folder
from adapters.files.ledger import Ledger


def exchanges(config: Config, datasets: Mapping[str, Dataset], folder: Folder) -> dict[str, Parts]:
    """The exchanges by name."""
    return {
        name: Parts(
            name, each, datasets[each.request], datasets[each.answer], Ledger(folder, tuple(each.folder.split("/")))
        )
        for name, each in config.exchanges.items()
    }


def faults(config: Config, found: Mapping[str, Description]) -> Iterator[ConfigProblem]:
    """What keeps exchanges from working."""
    for name, exchange in config.exchanges.items():
        where = f"/exchanges/{name}"
        if config.place is not None:
            yield ConfigProblem("an exchange needs root: a place has no rename that one of two wins", where)
        if name in config.datasets:
            yield ConfigProblem("a dataset has the same name", where)
        sides = [(side, found.get(getattr(exchange, side))) for side in ("request", "answer")]
        for side, description in sides:
            if description is None:
                yield ConfigProblem(f"there is no dataset '{getattr(exchange, side)}'", f"{where}/{side}")
            elif description.key_type != "text":
                yield ConfigProblem("its key must be a text, for the gateway to fill", f"{where}/{side}")
        request, answer = (description for _, description in sides)
        if request is None or answer is None:
            continue
        if request.template is None:
            yield ConfigProblem("requests are appended: say append in that dataset", f"{where}/request")
        elif request.template.fields != (request.config.key,):
            yield ConfigProblem("its file must be named by its key alone", f"{where}/request")
        elif room(request, answer) < SHORTEST_KEY:
            sentence = f"the key must have room for {SHORTEST_KEY} characters, better {LONGEST_KEY}"
            yield ConfigProblem(sentence, where)
