"""Configuration and the workspace's files → datasets ready to use; every fault with its file, line and pointer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath

from adapters.errors import ConfigError, ConfigProblem
from adapters.files import owner, tabular
from adapters.files.compressed import CompressedFormat
from adapters.files.config import Config
from adapters.files.config import Dataset as DatasetConfig
from adapters.files.control_spelling import controlled
from adapters.files.copybook.code_pages import CodePage
from adapters.files.copybook.copying import Copies
from adapters.files.copybook.options import CopybookOptions
from adapters.files.copybook.source import CopybookError
from adapters.files.copybook_format import CopybookFormat
from adapters.files.dataset import Description
from adapters.files.drop import Template
from adapters.files.extras import Missing, pyarrow
from adapters.files.folder import Pattern
from adapters.files.formats import Format
from adapters.files.tabular import read_options
from adapters.files.text import copybook_text


def descriptions(config: Config, files: Mapping[str, bytes]) -> dict[str, Description]:
    """The datasets by name; raises `ConfigError` with all that is wrong."""
    problems: list[ConfigProblem] = []
    found: dict[str, Description] = {}
    for name, dataset in config.datasets.items():
        try:
            found[name] = _description(name, dataset, files)
            problems.extend(_claim_problems(config, name, dataset))
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return found


def _description(name: str, dataset: DatasetConfig, files: Mapping[str, bytes]) -> Description:
    where = f"/datasets/{name}"
    problems: list[ConfigProblem] = []
    patterns = []
    for text in dataset.patterns:
        try:
            patterns.append(Pattern.of(text))
        except ValueError as error:
            problems.append(ConfigProblem(str(error), f"{where}/match"))
    if not dataset.patterns:
        problems.append(ConfigProblem("name at least one glob", f"{where}/match"))
    format: Format | None = None
    template = replaced = None
    try:
        format = compile_format(dataset, dataset.key, files, where)
        problems.extend(_key_problems(dataset, format, where))
        problems.extend(owner.faults(dataset, format, f"{where}/owner"))
        template = _template(dataset, format, where)
        replaced = _replaced(dataset, format, tuple(patterns), where)
    except ConfigError as error:
        problems.extend(error.problems)
    if problems or format is None:
        raise ConfigError(problems)
    return Description(name, dataset, format, tuple(patterns), template, replaced, _digest(dataset, files))


def _digest(dataset: DatasetConfig, files: Mapping[str, bytes]) -> str:
    """What the meaning of a file's bytes depends on: the configuration, the copybook and its neighbours."""
    digest = hashlib.sha256(dataset.model_dump_json().encode())
    control = dataset.control
    records = () if control is None else (control.header, control.trailer)
    named = {dataset.copybook, *(each.copybook for each in records if each is not None)}
    for folder in sorted({PurePosixPath(path).parent for path in named if path is not None}):
        for path in sorted(path for path in files if PurePosixPath(path).parent == folder):
            digest.update(hashlib.sha256(path.encode()).digest() + hashlib.sha256(files[path]).digest())
    return digest.hexdigest()


def compile_format(dataset: DatasetConfig, key: str | None, files: Mapping[str, bytes], where: str) -> Format:
    """A dataset's format; raises `ConfigError`, its pointers below `where`."""

    def compile(other: DatasetConfig, key: str | None) -> Format:
        return _plain(other, key, files, f"{where}/control")

    return _packed(dataset, controlled(dataset, key, _plain(dataset, key, files, where), compile, where), where)


def _plain(dataset: DatasetConfig, key: str | None, files: Mapping[str, bytes], where: str) -> Format:
    if dataset.format != "copybook":
        return tabular.format(dataset, key, where)
    return _copybook(dataset, key, files, where)


def _packed(dataset: DatasetConfig, format: Format, where: str) -> Format:
    if dataset.compression is None:
        return format
    if dataset.compression == "zstd":
        try:
            pyarrow()
        except Missing as error:
            raise _problem(str(error), f"{where}/compression") from None
    return CompressedFormat(format, dataset.compression)


def _copybook(dataset: DatasetConfig, key: str | None, files: Mapping[str, bytes], where: str) -> CopybookFormat:
    options = read_options(CopybookOptions, dataset.options, where)
    page = _code_page(dataset, where)
    source = files.get(dataset.copybook or "")
    if dataset.copybook is None or source is None:
        named = f"the workspace has no file '{dataset.copybook}'" if dataset.copybook else "name the copybook"
        raise _problem(f"{named}; copy it below openapi/sources/ and name it here", f"{where}/copybook")
    if options.variable_size_occurs and dataset.record_format in ("F", "text"):
        raise _problem("variable_size_occurs needs record_format V or VB", f"{where}/options/variable_size_occurs")
    if dataset.record_format == "text" and page.ebcdic:
        raise _problem("record_format text needs an ASCII code page", f"{where}/record_format")
    try:
        text = copybook_text(source)
        return CopybookFormat(text, page, dataset.record_format, options, key, _copies(dataset.copybook, files))
    except ValueError as error:
        raise _problem(str(error), f"{where}/options") from None
    except CopybookError as error:
        raise ConfigError(
            [ConfigProblem(each.message, f"{where}/copybook", dataset.copybook, each.line) for each in error.faults]
        ) from error


def _copies(copybook: str, files: Mapping[str, bytes]) -> Copies:
    """What COPY copies: files of the workspace in the copybook's folder, by their names without suffix."""
    folder = PurePosixPath(copybook).parent

    def copied(name: str) -> str | None:
        for path in sorted(files):
            known = PurePosixPath(path)
            if known.parent == folder and name.lower() in (known.stem.lower(), known.name.lower()):
                return copybook_text(files[path])
        return None

    return copied


def _code_page(dataset: DatasetConfig, where: str) -> CodePage:
    if dataset.code_page is None:
        raise _problem("say the code page, such as cp037 or ascii", f"{where}/code_page")
    try:
        return CodePage.of(dataset.code_page)
    except (LookupError, UnicodeError):
        raise _problem(
            f"code page '{dataset.code_page}' isn't a single-byte one known here, such as cp037, cp1047 or latin-1",
            f"{where}/code_page",
        ) from None


def _key_problems(dataset: DatasetConfig, format: Format, where: str) -> list[ConfigProblem]:
    fields = format.fields
    if fields is None:
        return []
    if dataset.key not in fields:
        some = ", ".join(list(fields)[:20])
        return [ConfigProblem(f"'{dataset.key}' isn't a field; there are {some}", f"{where}/key")]
    unknown = [path for path in dataset.index if path not in fields]
    if unknown:
        return [ConfigProblem(f"'{unknown[0]}' isn't a field", f"{where}/index")]
    if fields[dataset.key] == "number":
        return [ConfigProblem("a floating-point field can't be the key", f"{where}/key")]
    return []


def _template(dataset: DatasetConfig, format: Format, where: str) -> Template | None:
    if dataset.append is None:
        return None
    if dataset.generations > 1:
        raise _problem("each appended record would be a generation: say one or the other", f"{where}/generations")
    where = f"{where}/append"
    if dataset.record_format in ("V", "VB"):
        raise _problem("records are appended in record_format F or text only", where)
    if dataset.format not in ("copybook", "csv") or dataset.compression is not None:
        raise _problem("records are appended to files of format copybook or csv only, without compression", where)
    if format.fields is None:
        raise _problem("name the columns in options to append records", where)
    try:
        template = Template(dataset.append)
    except ValueError as error:
        raise _problem(str(error), where) from None
    unknown = [field for field in template.fields if field not in format.input_schema()["properties"]]
    if unknown:
        raise _problem(f"'{unknown[0]}' isn't a field of the record", where)
    if dataset.key in format.fields and dataset.key not in template.fields:
        raise _problem(f"the name must hold the key, {{{dataset.key}}}, so that each record has its own file", where)
    return template


def _claim_problems(config: Config, name: str, dataset: DatasetConfig) -> list[ConfigProblem]:
    if dataset.claim is None:
        return []
    where = f"/datasets/{name}/claim"
    if config.place is not None:
        return [ConfigProblem("claims need root: a place has no rename that one of two wins", where)]
    folders = {each.claim.folder for other, each in config.datasets.items() if other != name and each.claim is not None}
    if dataset.claim.folder in folders:
        return [ConfigProblem("another dataset has the same folder for its claims", f"{where}/folder")]
    return []


def _replaced(dataset: DatasetConfig, format: Format, patterns: tuple[Pattern, ...], where: str) -> Template | None:
    if dataset.replace is None:
        return None
    where = f"{where}/replace"
    if dataset.owner is not None:
        raise _problem("records with an owner are appended one by one: a whole file would name any owner", where)
    if dataset.record_format in ("V", "VB") or format.fields is None:
        raise _problem("this format can be read, not written: it needs record_format F or text, and columns", where)
    if dataset.arrival.marker is not None or dataset.arrival.manifest is not None:
        raise _problem("a file and its marker or manifest can't be replaced in one step", where)
    try:
        template = Template(dataset.replace)
    except ValueError as error:
        raise _problem(str(error), where) from None
    name = PurePosixPath(dataset.replace)
    if template.fields or not any(each.folders == name.parts[:-1] and each.wants(name.name) for each in patterns):
        raise _problem("must name one file that match finds", where)
    return template


def _problem(message: str, where: str) -> ConfigError:
    return ConfigError([ConfigProblem(message, where)])
