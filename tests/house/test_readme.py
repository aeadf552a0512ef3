"""What the README shows is what happens: its commands are run against the demo, its files are read.

The convention is in CONTRIBUTING.md: a `console` block holds `$ command` lines, each followed by what it prints; `…`
stands for any text, a line of it for any lines.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema_rs
import pytest
import yaml
from click.testing import CliRunner

from gateway.cli import app

Tree = Callable[[Mapping[str, str]], Path]

PORT = ":8080"
READERS: dict[str, Callable[[str], object]] = {
    "yaml": lambda text: list(yaml.safe_load_all(text)),
    "json": json.loads,
    "toml": tomllib.loads,
    "python": lambda text: compile(text, "README", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT),
}
# Blocks that are pictures of something, not something to run or read.
PICTURES = {"text", "mermaid", "cobol", "xml", "cedar", "sql", "http", "csv"}


@dataclass(frozen=True)
class Step:
    """One command of a console block, with what the README says it prints."""

    line: int
    command: str
    expected: str


def blocks(page: Path) -> Iterator[tuple[int, str, str]]:
    """The fenced blocks of a page: (line, language, text)."""
    text = page.read_text()
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield text.count("\n", 0, match.start()) + 2, match[1], match[2]


def steps(page: Path) -> list[Step]:
    """The commands of a page's console blocks, in order."""
    found = []
    for line, language, text in blocks(page):
        if language != "console":
            continue
        for match in re.finditer(r"^\$ ((?:.*\\\n)*.*\n)((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
            found.append(Step(line + text.count("\n", 0, match.start()), match[1].strip(), match[2].rstrip()))
    return found


def matches(expected: str, printed: str) -> bool:
    """Whether a command printed what the page says; trailing blanks don't count."""
    parts = []
    for line in expected.splitlines():
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(map(re.escape, re.split("…", line.rstrip()))) + r"[ \t]*\n")
    return re.fullmatch("".join(parts) + r"\s*", printed.rstrip() + "\n" if printed.strip() else "") is not None


def wrong_steps(
    page: Path, folder: Path, environment: Mapping[str, str], port: int, descriptors: tuple[int, ...] = ()
) -> list[str]:
    """The commands that fail or print something else. They run in one shell, in order, so that variables last."""
    todo = steps(page)
    mark = "figway_readme_step"
    script = "".join(
        f"{step.command.replace(PORT, f':{port}')}\n{mark}=$?; echo; echo {mark} ${mark}\n" for step in todo
    )
    run = subprocess.run(
        ["bash", "-o", "pipefail"], input=script, cwd=folder, env=environment, text=True, timeout=180, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=descriptors,
    )  # fmt: skip
    outputs = re.split(rf"\n{mark} (\d+)\n", run.stdout.replace(f":{port}", PORT))
    ran = list(zip(outputs[::2], outputs[1::2], strict=False))
    wrong = [
        f"{page.name}:{step.line}: $ {step.command}\nexit {code}, expected:\n{step.expected}\nprinted:\n{printed}"
        for step, (printed, code) in zip(todo, ran, strict=False)
        if code != "0" or not matches(step.expected, printed)
    ]
    return wrong + [f"{page.name}:{step.line}: the shell ended before it" for step in todo[len(ran) :]]


def unreadable_blocks(page: Path, makefile: Path) -> list[str]:
    """Blocks that don't parse or are of no known language, and `make` commands in `sh` blocks that name no target."""
    wrong = []
    for line, language, text in blocks(page):
        if language == "sh":
            problem = _shell_problem(text, makefile)
        elif language in READERS:
            problem = _reading_problem(READERS[language], text)
        else:
            problem = "" if language in PICTURES | {"console"} else f"no known language: '{language}'"
        if problem:
            wrong.append(f"{page.name}:{line}: {problem}")
    return wrong


def _shell_problem(text: str, makefile: Path) -> str:
    targets = re.findall(r"^([a-z-]+):", makefile.read_text(), re.MULTILINE)
    unknown = [name for name in re.findall(r"^make ([a-z-]+)", text, re.MULTILINE) if name not in targets]
    if unknown:
        return f"no target of the Makefile: {', '.join(unknown)}"
    run = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    return run.stderr


def _reading_problem(reader: Callable[[str], object], text: str) -> str:
    try:
        reader(text)
    except (yaml.YAMLError, ValueError, SyntaxError) as error:
        return str(error)
    return ""


def invalid_examples(page: Path, schemas: Mapping[str, Any]) -> list[str]:
    """YAML blocks that show a part of gateway.yaml or an `x-gateway`, and break its JSON Schema."""
    wrong = []
    for line, language, text in blocks(page):
        shown = yaml.safe_load(text) if language == "yaml" else None
        if not isinstance(shown, dict):
            continue
        if set(shown) <= set(schemas["gateway"]["properties"]):
            errors = jsonschema_rs.validator_for(schemas["gateway"]).iter_errors(shown)
        else:
            extension = shown.get("x-gateway", {"effect": "read"})
            errors = jsonschema_rs.validator_for(schemas["x-gateway"]).iter_errors(extension)
        wrong += [f"{page.name}:{line}: {error.message}" for error in errors]
    return wrong


@pytest.fixture(scope="module")
def demo(root: Path, servers: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A running demo: the folder that it was started in, and its port."""
    folder, port = tmp_path_factory.mktemp("demo"), servers.free_port()
    for name in ("openapi", "policies"):
        shutil.copytree(root / name, folder / name)
    shutil.copy(root / "gateway.yaml", folder)
    log = folder / "demo.log"
    with log.open("w") as sink:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("figway"), "demo"],
            cwd=folder, env={**os.environ, "FIGWAY_PORT": str(port)}, stdout=sink, stderr=sink,
        )  # fmt: skip
    try:
        until = time.monotonic() + 120
        while not _ready(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        yield folder, port
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(90)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def test_the_readme_shows_what_happens(root: Path, demo: tuple[Path, int], running: ModuleType, tmp_path: Path) -> None:
    folder, port = demo
    extra, descriptor = running.shim(tmp_path)
    assert steps(root / "README.md")
    wrong = wrong_steps(root / "README.md", folder, {**os.environ, **extra}, port, (descriptor,))
    assert "\n".join(wrong) == ""


@pytest.fixture(scope="module")
def pages(root: Path) -> list[Path]:
    """Every page that ships with the project."""
    folders = ("gateway", "adapters", "docker")
    return sorted([*root.glob("*.md"), *(page for folder in folders for page in root.glob(f"{folder}/**/*.md"))])


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    """The JSON Schemas that `figway schema` prints."""
    parsed: dict[str, Any] = json.loads(CliRunner().invoke(app, ["schema"]).stdout)
    return parsed


def test_the_blocks_of_every_page_can_be_read(root: Path, pages: list[Path]) -> None:
    assert [each for page in pages for each in unreadable_blocks(page, root / "Makefile")] == []


def test_examples_fit_their_schemas(pages: list[Path], schemas: dict[str, Any]) -> None:
    assert [each for page in pages for each in invalid_examples(page, schemas)] == []


def test_commands_are_shown_where_they_are_run(root: Path, pages: list[Path]) -> None:
    assert [page for page in pages if steps(page) and page != root / "README.md"] == []


PAGE = """# Page
```console
$ WHO=world
$ echo "hello $WHO" \\
    and all
hello world and all
$ printf 'id: 7\\nrows\\nrows\\nend %s\\n' localhost:8080
id: …
…
end localhost:8080
```
"""


@pytest.mark.parametrize(
    ("page", "wrong"),
    [
        (PAGE, 0),
        (PAGE.replace("hello world", "hello moon"), 1),
        (PAGE.replace("id: …", "key: …"), 1),
        (PAGE.replace("…\nend", "end"), 1),
        (PAGE.replace("$ WHO=world", "$ false"), 2),
        (PAGE.replace("$ WHO=world", "$ exit 0"), 3),
        (PAGE.replace("$ WHO=world", "$ echo unsaid"), 2),
    ],
)
def test_a_page_that_shows_something_else_is_found(tree: Tree, page: str, wrong: int) -> None:
    folder = tree({"README.md": page})
    assert len(wrong_steps(folder / "README.md", folder, os.environ, 4711)) == wrong


@pytest.mark.parametrize(
    ("block", "wrong"),
    [
        ("```sh\nmake run  # and wait\n```\n", 0),
        ("```sh\nmake walk\n```\n", 1),
        ('```sh\ncurl "localhost\n```\n', 1),
        ("```yaml\na: [1, 2\n```\n", 1),
        ("```json\n{'a': 1}\n```\n", 1),
        ("```\nwhat is this\n```\n", 1),
    ],
)
def test_a_block_that_cannot_be_read_is_found(tree: Tree, block: str, wrong: int) -> None:
    folder = tree({"page.md": block, "Makefile": "run: ## run\n\ttrue\n"})
    assert len(unreadable_blocks(folder / "page.md", folder / "Makefile")) == wrong


@pytest.mark.parametrize(
    ("example", "wrong"),
    [
        ("upstreams: {crm: {kind: http, base_url: 'https://crm.internal'}}", 0),
        ("upstreams: {crm: {kind: http, base_url: 'https://crm.internal', colour: red}}", 1),
        ("x-gateway: {effect: read, legacy: {upstream: crm, operation: GetCustomer}}", 0),
        ("x-gateway: {effect: peek}", 1),
        ("/customers: {get: {operationId: list_customers}}", 0),
    ],
)
def test_an_example_that_breaks_its_schema_is_found(
    tree: Tree, schemas: dict[str, Any], example: str, wrong: int
) -> None:
    folder = tree({"page.md": f"```yaml\n{example}\n```\n"})
    assert len(invalid_examples(folder / "page.md", schemas)) == wrong
