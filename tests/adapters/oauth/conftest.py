"""An authorization server, and tokens from it."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Context
from adapters.oauth import OAuth, Tokens
from adapters.secret import Reference


def _authority() -> Any:
    spec = importlib.util.spec_from_file_location("oauth_authority", Path(__file__).with_name("authority.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_module = _authority()


@pytest.fixture
async def authority() -> AsyncIterator[Any]:
    """An `authority.Authority` that runs."""
    async with _module.authority() as made:
        yield made


@pytest.fixture
def answer() -> Callable[[int, Any], bytes]:
    """`answer(400, {...})`: the bytes of an answer."""
    return _module.http


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
