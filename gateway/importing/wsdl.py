"""The reader `wsdl`: a WSDL in a file, a folder, a zip archive or behind a URL, with all that it imports."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from urllib.parse import urlsplit

from adapters.contract import Operation, Workspace
from adapters.errors import ConfigError
from adapters.soap.bundle import located, unpacked
from adapters.soap.collect import Allowed, collect
from adapters.soap.compiler import form_of
from adapters.soap.form import Form, PortForm
from adapters.soap.plan import described
from adapters.soap.resolver import Documents
from gateway.importing.model import CantImport, Found, LeftOut, Reading, Request, placed
from gateway.importing.words import words

_MOST_FILE = 32 * 2**20
_MOST_FILES = 5000
_ZIP = b"PK\x03\x04"


def read(request: Request) -> Reading:
    """The operations of one service: `options` may name it (`service`) and its `port`. Raises `CantImport`."""
    request.progress("documents", 0, None)
    files, wsdl = _documents(request)
    form = _form(request, files, wsdl)
    port = _port(form, request)
    folder = f"openapi/sources/{request.upstream}/"
    config = {"wsdl": folder + wsdl, **_address(port, request)}
    if len({each.service for each in form.ports}) > 1:
        config["service"] = port.service
    if len([each for each in form.ports if each.service == port.service]) > 1:
        config["port"] = port.name
    deep: list[str] = []
    operations = tuple(_found(form, port, request, deep))
    left_out = [LeftOut(name, "its types are nested too deep", wsdl) for name in deep]
    left_out += [LeftOut(name, f"it uses {reason}", wsdl) for name, reason in port.left_out.items()]
    left_out += [
        LeftOut(each.name, f"the same service as port '{port.name}', by SOAP {each.soap}", wsdl)
        for each in form.ports
        if each.service == port.service and each is not port and each.names == port.names
    ]
    return Reading(
        kind="soap",
        config=config,
        files=files,
        operations=operations,
        title=" ".join(words(port.service)).capitalize(),
        left_out=left_out,
        variables=[config["address"].removeprefix("env:")] if config.get("address", "").startswith("env:") else [],
    )


def _port(form: Form, request: Request) -> PortForm:
    ports = list(form.ports)
    for option, of in (("service", attrgetter("service")), ("port", attrgetter("name"))):
        wanted = request.options.get(option)
        if wanted:
            known: list[str] = sorted({of(each) for each in ports})
            ports = [each for each in ports if of(each) == wanted]
            if not ports:
                raise CantImport(f"the WSDL has no SOAP {option} '{wanted}': there is {', '.join(known) or 'none'}")
    if len({each.service for each in ports}) > 1:
        names = ", ".join(dict.fromkeys(each.service for each in ports))
        raise CantImport(
            f"the WSDL has several services ({names}): import each as an upstream of its own, by --service"
        )
    if not ports:
        raise CantImport(f"{request.source} describes no service with a SOAP port")
    return min(ports, key=lambda each: (not each.operations, each.soap))


def _address(port: PortForm, request: Request) -> dict[str, str]:
    if "address" in request.options:
        return {"address": request.options["address"]}
    if urlsplit(port.address).scheme in ("http", "https") and urlsplit(port.address).netloc:
        return {}
    return {"address": f"env:{'_'.join(words(request.upstream)).upper()}_URL"}


def _found(form: Form, port: PortForm, request: Request, deep: list[str]) -> Iterator[Found]:
    """The operations that were chosen; `deep` is told of those whose types are nested too deep to be described."""
    for done, (name, operation) in enumerate(zip(port.names, port.operations, strict=True)):
        request.progress("operations", done, len(port.names))
        if request.chosen(name):
            try:
                yield _operation(described(form, operation))
            except RecursionError:
                deep.append(name)


def _operation(operation: Operation) -> Found:
    return Found(
        operation=operation.name,
        effect=operation.effect,
        input=operation.input,
        output=operation.output,
        description=operation.description,
    )


def _form(request: Request, files: Mapping[str, bytes], wsdl: str) -> Form:
    """The form, kept where the check of what is written finds it again."""
    folder = f"openapi/sources/{request.upstream}/"
    workspace = Workspace({folder + name: data for name, data in files.items()}, request.cache / request.upstream)
    try:
        return form_of(folder + wsdl, workspace)
    except ConfigError as error:
        raise CantImport(_sentence(error)) from error


def _documents(request: Request) -> tuple[Mapping[str, bytes], str]:
    """The WSDL and all that it reaches, by path, and which of them it is."""
    try:
        if urlsplit(request.source).scheme in ("http", "https"):
            return _by_url(request)
        path = placed(request.source)
        if path.is_dir():
            files: Mapping[str, bytes] = _Folder(path)
            if not any(name.endswith(".wsdl") for name in files):
                raise CantImport(f"{request.source} holds no file whose name ends in .wsdl: name the WSDL itself")
            inside = {f"{path.name or 'x'}/{name}": files[name] for name in files if name.endswith(".wsdl")}
            wsdl = posixpath.relpath(located(inside, path.name or "x"), path.name or "x")
        else:
            files, wsdl = _Folder(path.parent), path.name
            data = files.get(wsdl)
            if data is None:
                raise CantImport(f"{request.source} can't be read: name a WSDL, a folder, a zip archive or a URL")
            if data.startswith(_ZIP):
                files = unpacked(data, wsdl)
                wsdl = located({f"x/{name}": each for name, each in files.items()}, "x").removeprefix("x/")
    except ConfigError as error:
        raise _told(error, request) from error
    return _reached(files, wsdl), wsdl


def _by_url(request: Request) -> tuple[Mapping[str, bytes], str]:
    host = (urlsplit(request.source).hostname or "").lower()
    private = frozenset(each.lower() for each in request.allowed_hosts)
    collected = collect(request.source, Allowed(frozenset({host}) | private, private))
    return collected.files, collected.wsdl


def _reached(files: Mapping[str, bytes], wsdl: str) -> Mapping[str, bytes]:
    documents = Documents(files, wsdl)
    documents.walk()
    if documents.problems:
        raise CantImport(_sentence(ConfigError(documents.problems)))
    return {path: files[path] for path, found in documents.consulted.items() if found is not None}


def _told(error: ConfigError, request: Request) -> CantImport:
    sentence = _sentence(error)
    if "private address" in sentence or "isn't allowed" in sentence:
        sentence += " (--allow-host)"
    return CantImport(sentence)


def _sentence(error: ConfigError) -> str:
    told = []
    for each in error.problems[:5]:
        where = f"{each.file}:{each.line}: " if each.file and each.line else f"{each.file}: " if each.file else ""
        told.append(where + each.message)
    more = len(error.problems) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


class _Folder(Mapping[str, bytes]):
    """The files below a folder by relative path, each read when it is asked for; a link out of it isn't followed."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def __getitem__(self, name: str) -> bytes:
        try:
            path = (self._root / name).resolve(strict=True)
            if not path.is_relative_to(self._root) or not path.is_file() or path.stat().st_size > _MOST_FILE:
                raise KeyError(name)
            return path.read_bytes()
        except (OSError, ValueError) as error:
            raise KeyError(name) from error

    def __iter__(self) -> Iterator[str]:
        for count, path in enumerate(sorted(self._root.rglob("*"))):
            if count >= _MOST_FILES:
                return
            if path.is_file():
                yield path.relative_to(self._root).as_posix()

    def __len__(self) -> int:
        return sum(1 for _ in self)
