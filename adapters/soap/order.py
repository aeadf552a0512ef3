"""Whether elements that stand one by one follow a content model (XML Schema part 1, section 3.8.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.soap.form import WILD, Element, Group, Particle


def follows(labels: Sequence[str], model: Group) -> bool:
    """Whether the elements called `labels`, `#any` for those that a wildcard stands for, are what `model` allows.

    All ways through the model are tried side by side, so that the time is bounded by the elements times the model.
    """
    return len(labels) in _ends(model, labels, {0})


def shown(particle: Particle) -> str:
    """`particle` as people write content models: `a, (b | c)*, #any?`; `&` between what may stand in any order."""
    if isinstance(particle, Group):
        mark = {"sequence": ", ", "choice": " | ", "all": " & "}[particle.order]
        text = f"({mark.join(map(shown, particle.items))})"
    else:
        text = particle.label if isinstance(particle, Element) else WILD
    span = (particle.least, particle.most)
    most = "" if particle.most is None else particle.most
    return text + _SPANS.get(span, f"{{{particle.least},{most}}}")


_SPANS: Mapping[tuple[int, int | None], str] = {(1, 1): "", (0, 1): "?", (0, None): "*", (1, None): "+"}


def _ends(particle: Particle, labels: Sequence[str], starts: set[int]) -> set[int]:
    """The places behind all occurrences of `particle` that begin at any of `starts`."""
    ends = set(starts) if particle.least == 0 else set()
    reached, count = starts, 0
    while reached and (particle.most is None or count < particle.most):
        step = _once(particle, labels, reached)
        # Occurrences that lead nowhere new may be as many as are needed.
        count = particle.least if count < particle.least and step == reached else count + 1
        reached = step - ends if count >= particle.least else step
        if count >= particle.least:
            ends |= reached
    return ends


def _once(particle: Particle, labels: Sequence[str], starts: set[int]) -> set[int]:
    if not isinstance(particle, Group):
        label = particle.label if isinstance(particle, Element) else WILD
        return {start + 1 for start in starts if start < len(labels) and labels[start] == label}
    if particle.order == "choice":
        return set().union(*(_ends(item, labels, starts) for item in particle.items))
    if particle.order == "all":
        return set().union(*(_all(particle, labels, start) for start in starts))
    for item in particle.items:
        starts = _ends(item, labels, starts)
    return starts


def _all(group: Group, labels: Sequence[str], start: int) -> set[int]:
    """The places behind an `xsd:all`, whose items stand in any order, each at most once."""
    required = {item.label for item in group.items if isinstance(item, Element) and item.least > 0}
    left = {item.label for item in group.items if isinstance(item, Element)}
    ends = set()
    place = start
    while True:
        if not required & left:
            ends.add(place)
        if place == len(labels) or labels[place] not in left:
            return ends
        left.discard(labels[place])
        place += 1
