"""The suite as pytest runs it: an author's class inherits it, and says in a fixture what its subject is."""

from __future__ import annotations

import pytest

from adapters.testing.bench import Broken, NotAsked
from adapters.testing.rules import RULES, ask
from adapters.testing.subject import Subject


class AdapterConformance:
    """Every rule on one subject: a class that inherits it is to find a fixture `subject`, which starts the system.

    @pytest.fixture(scope="module")
    def subject() -> Iterator[Subject]: ...

    class TestConformance(AdapterConformance):
        pass
    """

    @pytest.mark.parametrize("rule", RULES)
    def test_rule(self, rule: str, subject: Subject) -> None:
        """Fails with the sentence that says how the rule is broken."""
        found: NotAsked | Broken | None = None
        try:
            ask(RULES[rule], subject)
        except (NotAsked, Broken) as error:
            found = error
        if isinstance(found, NotAsked):
            pytest.skip(str(found))
        if found is not None:
            pytest.fail(f"{RULES[rule].sentence}: {found}", pytrace=False)
