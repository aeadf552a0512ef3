"""What callers are told of what adapters raise."""

from __future__ import annotations

import pytest

from adapters.errors import BadReply
from gateway.adapter_problems import problem_of


@pytest.mark.parametrize("message", ["crm answered no XML", "crm answered no XML."])
def test_a_reply_that_nobody_understands_leaves_a_write_unknown(message: str) -> None:
    problem = problem_of(BadReply(message), writes=True)
    assert problem.slug == "unknown-outcome"
    assert problem.detail == "crm answered no XML. The change may have been made."
