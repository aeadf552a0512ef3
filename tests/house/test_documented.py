"""Nothing is a secret: each verb, setting, key, metric and problem type is named in a README, between backquotes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from gateway.cli import app

Tree = Callable[[Mapping[str, str]], Path]

# What is documented → where its names stand in the code: (files, pattern with the name as its group).
NAMES = {
    "verb": ("gateway/cli/__init__.py", r'^    "([a-z]+)": \("'),
    "setting": ("gateway/**/*.py", r"\b(FIGWAY_[A-Z_]+)\b"),
    "metric": ("gateway/**/*.py", r'"(figway_[a-z_]+)"'),
    "problem": ("gateway/*errors.py", r'^    slug\b.*? = "([a-z-]+)"'),
    "header": ("gateway/ingress/response.py", r'b"(figway-[a-z-]+)"'),
}


def names(tree: Path) -> dict[str, set[str]]:
    """Every name of the code that a user meets, by what it is."""
    found: dict[str, set[str]] = {}
    for what, (files, pattern) in NAMES.items():
        texts = [path.read_text() for path in sorted(tree.glob(files)) if "demo" not in path.parts]
        found[what] = {name for text in texts for name in re.findall(pattern, text, re.MULTILINE)}
    return found


def keys(schema: Any) -> Iterator[str]:
    """Every property that a JSON Schema knows, at any depth."""
    if isinstance(schema, dict):
        properties = schema.get("properties", {})
        if isinstance(properties, dict):
            yield from (name for name, value in properties.items() if isinstance(value, dict))
        for value in schema.values():
            yield from keys(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from keys(value)


def undocumented(tree: Path, wanted: Mapping[str, set[str]]) -> list[str]:
    """The names that no README of the tree has as code."""
    pages = [
        tree / "README.md",
        *(page for folder in ("gateway", "adapters", "docker") for page in tree.glob(f"{folder}/**/README.md")),
    ]
    told = {
        word for page in pages if page.exists() for code in _code(page.read_text().lower()) for word in _words(code)
    }
    return sorted(f"{what} {name}" for what, each in wanted.items() for name in each if name.lower() not in told)


def _code(text: str) -> Iterator[str]:
    fence = r"^ *```.*?^ *```"
    yield from re.findall(fence, text, re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", re.sub(fence, "", text, flags=re.MULTILINE | re.DOTALL))


def _words(code: str) -> Iterator[str]:
    for word in re.findall(r"[\w-]+", code):
        yield from (word, word.strip("-"))


def test_everything_that_a_user_meets_is_documented(root: Path) -> None:
    found = names(root)
    assert all(found[what] for what in ("verb", "setting", "problem")), (
        "the names are no longer where they were looked for"
    )
    assert undocumented(root, found) == []


def test_every_key_of_the_workspace_is_documented(root: Path) -> None:
    schemas = CliRunner().invoke(app, ["schema"]).stdout
    wanted = set(keys(yaml.safe_load(schemas)))
    assert {"upstreams", "effect"} <= wanted
    assert undocumented(root, {"key": wanted}) == []


CODE = {
    "gateway/cli/__init__.py": 'VERBS = {\n    "serve": ("serve", "Serve."),\n    "melt": ("melt", "Melt."),\n}\n',
    "gateway/settings.py": 'os.environ["FIGWAY_HEAT"]\n',
    "gateway/telemetry.py": 'Counter("figway_melts_total")\n',
    "gateway/errors.py": 'class Molten:\n    slug, title = "molten", "Molten"\n',
    "gateway/README.md": "`figway serve` melts nothing.\n```sh\nfigway serve --heat\n```\n",
}


@pytest.mark.parametrize(
    "missing", [["verb melt"], ["setting FIGWAY_HEAT"], ["metric figway_melts_total"], ["problem molten"], []]
)
def test_what_is_not_documented_is_found(tree: Tree, missing: list[str]) -> None:
    every = {"verb melt", "setting FIGWAY_HEAT", "metric figway_melts_total", "problem molten"}
    told = " ".join(f"`{each.split()[1]}`" for each in sorted(every - set(missing)))
    folder = tree({**CODE, "README.md": told})
    assert undocumented(folder, names(folder)) == missing


def test_a_key_that_is_not_documented_is_found(tree: Tree) -> None:
    schema = {"properties": {"heat": {"type": "object", "properties": {"limit": {"type": "integer"}}}}}
    assert undocumented(tree({"adapters/oven/README.md": "heat, `limit`"}), {"key": set(keys(schema))}) == ["key heat"]
