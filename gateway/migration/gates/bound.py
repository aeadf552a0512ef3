"""How sure it is that a rate is below a limit, whenever one looks.

Betting against "the rate is at least the limit": a bet for each of a few lower rates, whose stake grows by the
likelihood ratio. Under the hypothesis the wealth is a supermartingale, so it reaches 1/α with a probability of at
most α, however often one looks (Ville 1939; Waudby-Smith, Ramdas: Estimating means of bounded random variables by
betting, JRSS B 2024; Johari, Koomen, Pekelis, Walsh: Always valid inference, Operations Research 2022).

The wealth depends on the counts only, not on their order: nothing is kept between looks.
"""

from __future__ import annotations

from math import exp, log, log1p, sqrt

ALPHA = 0.04
"""How often at most a group goes on although a rate is at its limit."""
_FRACTIONS = (0.0, 0.05, 0.2, 0.5)
_HALVINGS = 40


def wealth(bad: int, total: int, limit: float) -> float:
    """What a bet of 1 has become, as a logarithm: above log(1/α), the rate is below the limit."""
    good = total - bad
    stakes = [good * (log1p(-limit * each) - log1p(-limit)) + _lost(bad, each) for each in _FRACTIONS]
    highest = max(stakes)
    return highest + log(sum(exp(stake - highest) for stake in stakes) / len(stakes))


def _lost(bad: int, fraction: float) -> float:
    if bad == 0:
        return 0.0
    return bad * log(fraction) if fraction else -1e12


def is_below(bad: int, total: int, limit: float, alpha: float = ALPHA) -> bool:
    """Whether the rate is below the limit, wrong with a probability of at most α over all looks."""
    return wealth(bad, total, limit) >= -log(alpha)


def upper(bad: int, total: int, alpha: float = ALPHA) -> float:
    """The largest rate that can't be excluded yet; 1: none can. For people to see how far a gate is."""
    low, high = bad / total if total else 1.0, 1.0
    for _ in range(_HALVINGS if low < 1 else 0):
        middle = (low + high) / 2
        low, high = (low, middle) if middle < 1 and is_below(bad, total, middle, alpha) else (middle, high)
    return high


def wilson(bad: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a rate, for display only: it holds for one look, not for looking until it suits."""
    if not total:
        return 0.0, 1.0
    rate, spread = bad / total, z * z / total
    middle = rate + spread / 2
    half = z * sqrt(rate * (1 - rate) / total + spread / (4 * total))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))
