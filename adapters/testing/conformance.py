"""The suite as pytest runs it: an author's class inherits it, and says in a fixture what its subject is."""

from __future__ import annotations

import pytest

from adapters.testing.bench import Broken, NotAsked
from adapters.testing.rules import RULES, ask
from adapters.testing.subject import Subject


class AdapterConformance:
    """Every rule on one subject. A class that inherits it has a fixture `subject`, which starts the real system:

    class TestConformance(AdapterConformance):
        @pytest.fixture(scope="class")
        def subject(self) -> Iterator[Subject]: ...
    """

    @pytest.mark.parametrize("rule", RULES)
    def test_rule(self, rule: str, subject: Subject) -> None:
        """Fails with the sentence that says how the rule is broken."""
        try:
            ask(RULES[rule], subject)
        except NotAsked as reason:
            pytest.skip(str(reason))
        except Broken as error:
            pytest.fail(f"{RULES[rule].sentence}: {error}", pytrace=False)
