"""The examples of the page are datasets that compile."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from adapters.files.compile import compile_format
from adapters.files.config import Dataset

PAGE = Path(__file__).parents[3] / "adapters" / "files" / "README.md"


def test_every_format_has_an_example_that_compiles() -> None:
    seen = set()
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for name, value in yaml.safe_load(block).items():
            if isinstance(value, dict) and value.get("format") not in (None, "copybook"):
                dataset = Dataset.model_validate(value)
                format = compile_format(dataset, dataset.key, {}, f"/datasets/{name}")
                assert format.fields is not None
                assert dataset.key in format.fields
                seen.add(dataset.format)
    assert seen == {"csv", "fixed", "json_lines", "json", "xml", "excel", "dbf", "parquet", "x12", "edifact"}
