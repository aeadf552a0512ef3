"""Configuration: what it takes, and faults that say where they are and what to do, all at once and offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from pydantic import ValidationError

from adapters.capabilities import SupportsDryRun
from adapters.contract import Context, Effect, Workspace
from adapters.errors import ConfigError, DoNotRetry, Unavailable
from adapters.files import KIND
from adapters.files.adapter import FilesAdapter
from adapters.files.config import Config
from adapters.secret import Reference

Build = Callable[..., FilesAdapter]
Contexts = Callable[..., Context]


def _problems(build: Build, dataset: dict[str, Any], files: dict[str, str] | None = None) -> list[tuple[Any, ...]]:
    with pytest.raises(ConfigError) as caught:
        build({"d": dataset}, files)
    return [(problem.where, problem.file, problem.line, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("change", "where", "sentence"),
    [
        ({"match": "../*.DAT"}, "/datasets/d/match", "inside the root"),
        ({"match": "/etc/*"}, "/datasets/d/match", "inside the root"),
        ({"match": "*/x.DAT"}, "/datasets/d/match", "last part only"),
        ({"match": []}, "/datasets/d/match", "at least one"),
        ({"copybook": None}, "/datasets/d/copybook", "name the copybook"),
        ({"copybook": "none.cpy"}, "/datasets/d/copybook", "no file 'none.cpy'"),
        ({"code_page": None}, "/datasets/d/code_page", "say the code page"),
        ({"code_page": "cp9999"}, "/datasets/d/code_page", "cp9999"),
        ({"code_page": "utf-16"}, "/datasets/d/code_page", "single-byte"),
        ({"code_page": "base64"}, "/datasets/d/code_page", "base64"),
        ({"key": "nothing"}, "/datasets/d/key", "there are task_id, title"),
        ({"options": {"string_trimming_policy": "all"}}, "/datasets/d/options/string_trimming_policy", "right"),
        ({"options": {"nothing": 1}}, "/datasets/d/options/nothing", "not permitted"),
        ({"options": {"variable_size_occurs": True}}, "/datasets/d/options/variable_size_occurs", "V or VB"),
        ({"record_format": "text", "code_page": "cp037"}, "/datasets/d/record_format", "ASCII"),
        ({"append": "in/{nothing}-{task_id}.DAT"}, "/datasets/d/append", "'nothing' isn't a field"),
        ({"append": "in/T.DAT"}, "/datasets/d/append", "hold the key"),
        ({"append": "../{task_id}"}, "/datasets/d/append", "inside the root"),
        ({"append": "/{task_id}"}, "/datasets/d/append", "inside the root"),
        ({"append": "{task_id}/x"}, "/datasets/d/append", "last part only"),
        ({"append": ".{task_id}"}, "/datasets/d/append", "visible"),
        ({"append": "{task_id:>20}"}, "/datasets/d/append", "plain fields"),
        ({"append": "{task_id"}, "/datasets/d/append", "'}'"),
        ({"append": "{task_id}", "record_format": "V"}, "/datasets/d/append", "F or text only"),
        ({"format": "csv", "options": {"header": False}}, "/datasets/d/options/columns", "name the columns"),
        ({"format": "csv", "code_page": "rot13", "options": {}}, "/datasets/d/code_page", "rot13"),
        ({"format": "csv", "append": "{task_id}"}, "/datasets/d/append", "name the columns"),
        ({"format": "csv", "options": {"columns": {"a": "text"}}}, "/datasets/d/key", "isn't a field"),
    ],
)
def test_faults_say_where(
    build: Build, tasks: dict[str, Any], change: dict[str, Any], where: str, sentence: str
) -> None:
    dataset = {**tasks["tasks"], "append": None, **change}
    found = _problems(build, dataset)
    assert [problem[0] for problem in found] == [where]
    assert sentence in found[0][3]


def test_a_copybook_that_does_not_parse_names_file_and_line(build: Build, tasks: dict[str, Any]) -> None:
    found = _problems(
        build, {**tasks["tasks"], "copybook": "b.cpy"}, {"b.cpy": "       01  R.\n           05  A PIC 9Q."}
    )
    assert found == [("/datasets/d/copybook", "b.cpy", 2, "PIC 9Q has the unknown symbol 'Q'")]


def test_all_faults_are_found_at_once(build: Build, tasks: dict[str, Any]) -> None:
    wrong = {**tasks["tasks"], "match": "../x"}
    with pytest.raises(ConfigError) as caught:
        build({"a": {**wrong, "key": "nothing"}, "b": {**tasks["tasks"], "copybook": None}})
    assert [problem.where for problem in caught.value.problems] == [
        "/datasets/a/match",
        "/datasets/a/key",
        "/datasets/b/copybook",
    ]


@pytest.mark.parametrize(
    "config",
    [
        {"root": "x", "datasets": {}},
        {"root": 5, "datasets": {"d": {"match": "x", "format": "csv", "key": "a"}}},
        {"root": "x", "datasets": {"D!": {"match": "x", "format": "csv", "key": "a"}}},
        {"root": "x", "datasets": {"d": {"match": "x", "format": "word", "key": "a"}}},
        {"root": "x", "datasets": {"d": {"match": "x", "format": "csv"}}},
        {
            "root": "x",
            "datasets": {"d": {"match": "x", "format": "csv", "key": "a", "arrival": {"stable_for": "soon"}}},
        },
        {"root": "x", "more": 1, "datasets": {"d": {"match": "x", "format": "csv", "key": "a"}}},
    ],
)
def test_the_model_refuses(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(config)


def test_the_model_has_a_schema_and_reads_durations() -> None:
    schema = Config.model_json_schema()
    arrival = {"stable_for": "200ms", "marker": ".done"}
    config = {"root": "x", "datasets": {"d": {"match": "x", "format": "csv", "key": "a", "arrival": arrival}}}
    jsonschema_rs.validator_for(schema).validate(config)
    assert Config.model_validate(config).datasets["d"].arrival.stable_for == 0.2


async def test_an_unset_root_builds_and_is_unavailable(
    tasks: dict[str, Any], tmp_path: Path, context: Contexts
) -> None:
    config = Config.model_validate({"root": Reference("", "env:DROP_DIR", missing=True), "datasets": {}} | {
        "datasets": {"s": {"match": "*.csv", "format": "csv", "key": "a"}}})  # fmt: skip
    adapter = KIND.build("work", config, Workspace({}, tmp_path))
    assert set(adapter.operations()) == {"s.get", "s.list", "s.aggregate"}
    with pytest.raises(Unavailable):
        await adapter.open()
    with pytest.raises(Unavailable):
        await adapter.invoke("s.list", {}, context())


async def test_operations(build: Build, tasks: dict[str, Any], context: Contexts) -> None:
    adapter = build(tasks)
    found = adapter.operations()
    assert {name: operation.effect for name, operation in found.items()} == {
        "tasks.get": Effect.READ,
        "tasks.list": Effect.READ,
        "tasks.aggregate": Effect.READ,
        "tasks.append": Effect.WRITE,
    }
    assert [name for name, operation in found.items() if operation.is_list] == ["tasks.list"]
    assert found["tasks.append"].input["required"] == ["task_id"]
    assert found["tasks.get"].input["required"] == ["task_id"]
    for operation in found.values():
        jsonschema_rs.validator_for(operation.input)
        jsonschema_rs.validator_for(operation.output)
    assert isinstance(adapter, SupportsDryRun)
    for wrong in ("tasks.put", "nothing.get", "tasks"):
        with pytest.raises(DoNotRetry):
            await adapter.invoke(wrong, {}, context())


async def test_what_is_read_and_written_fits_the_schemas(
    build: Build, tasks: dict[str, Any], context: Contexts
) -> None:
    adapter = build(tasks)
    record = {"task_id": "T1", "title": "x", "due_date": 20270101, "priority": "low", "amount": "1.00"}
    operations = adapter.operations()
    jsonschema_rs.validator_for(operations["tasks.append"].input).validate(record)
    for name, input in (("append", record), ("get", {"task_id": "T1"}), ("list", {"limit": 5})):
        result = await adapter.invoke(f"tasks.{name}", input, context())
        jsonschema_rs.validator_for(operations[f"tasks.{name}"].output).validate(result.value)
