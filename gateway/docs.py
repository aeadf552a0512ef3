"""The page at `/docs`: plain HTML with no part from elsewhere, so that it works where the internet doesn't."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files


@cache
def page() -> str:
    """The page's HTML."""
    return files("gateway").joinpath("docs.html").read_text(encoding="utf-8")


@cache
def content_security_policy() -> str:
    """Nothing may run or load but the page's own script and style, named by their hashes (CSP level 3)."""
    script, style = (_hash(page().split(f"<{tag}>")[1].split(f"</{tag}>")[0]) for tag in ("script", "style"))
    return f"default-src 'none'; connect-src 'self'; script-src {script}; style-src {style}; frame-ancestors 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
