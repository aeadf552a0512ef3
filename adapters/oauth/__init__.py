"""Access tokens for upstreams that speak OAuth 2: the gateway's own, or the caller's in exchange.

client credentials   RFC 6749 section 4.4: one token for all callers, renewed by one call before it expires
token exchange       RFC 8693: one token for each caller's own, with the gateway's as the actor
"""

from __future__ import annotations

from adapters.oauth.config import OAuth
from adapters.oauth.tokens import Tokens

__all__ = ["OAuth", "Tokens"]
