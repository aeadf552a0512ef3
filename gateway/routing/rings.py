"""Keys of the gateway's own as an operator gives them: 32 bytes in base64url each, the one that signs first."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode

# 43 characters, with or without their padding.
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=?")


def ring_secrets(text: str) -> list[bytes]:
    """The keys in `text`, separated by commas or blanks; raises `ValueError` with a sentence that shows none of it."""
    keys = re.split(r"[\s,]+", text.strip())
    if not all(_KEY.fullmatch(each) for each in keys):
        raise ValueError("must be 32 random bytes in base64url, or several such keys separated by commas")
    return [urlsafe_b64decode(each.rstrip("=") + "=") for each in keys]
