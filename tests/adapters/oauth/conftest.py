"""Tokens of an authorization server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from adapters.contract import Context
from adapters.oauth import OAuth, Tokens
from adapters.secret import Reference


@pytest.fixture
async def tokens(authority: Any) -> AsyncIterator[Callable[..., Tokens]]:
    """`tokens(**options)`: those of the authority's client, closed at the end."""
    made: list[Tokens] = []

    def build(**options: Any) -> Tokens:
        secret = Reference(authority.secret, "env:SECRET")
        given = {"token_url": authority.url, "client_id": authority.client_id, "client_secret": secret, **options}
        made.append(Tokens(OAuth.model_validate(given)))
        return made[-1]

    yield build
    for each in made:
        await each.close()


@pytest.fixture
def soon() -> Callable[..., Context]:
    """A context whose deadline is some seconds away, 10 unless told."""
    return lambda seconds=10.0, **more: Context(time.monotonic() + seconds, **more)
