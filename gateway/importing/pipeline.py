"""From what a reader found to the workspace's files: named, written as a contract, merged with what people made of the
last import, and checked as `figway check` would, before anything is written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from adapters.contract import Effect
from gateway.importing.cases import cases, tests
from gateway.importing.contract import contract
from gateway.importing.denials import denials
from gateway.importing.drift import Change, Grade, drift
from gateway.importing.emit import emit
from gateway.importing.ledger import Ledger, folder, generated_path, ledger_path, read_ledger, written_ledger
from gateway.importing.merge import merge
from gateway.importing.merging import merged_contract, merged_sources
from gateway.importing.model import CantImport, LeftOut, Reading, Request
from gateway.importing.naming import Named, Names, route_id
from gateway.importing.parts import allotted, part_path, split
from gateway.importing.surroundings import Others, defaults_of, value_of
from gateway.importing.wording import Unsaid, kept, left_out, worded, words_drift
from gateway.routing.folder import unfit
from gateway.routing.load import compile_workspace
from gateway.routing.model import Finding, InvalidWorkspace

_ROUNDS = 5


@dataclass
class Plan:
    """What an import would do. `files` holds what changes, by path in the workspace; None: the file goes."""

    upstream: str
    reading: Reading
    routes: list[Named]
    files: dict[str, bytes | None] = field(default_factory=dict)
    before: Mapping[str, bytes] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    drift: list[Change] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Where people and the source changed the same thing, and people's was kept."""
    warnings: list[Finding] = field(default_factory=list)
    again: bool = False
    """Whether the upstream was imported before."""


def plan(files: Mapping[str, bytes], asked: Ledger, request: Request, reading: Reading) -> Plan:
    """What importing `reading` into a workspace would do; `files` are its files, `tests/` included. `asked` says what
    was asked for. Raises `CantImport`; writes nothing."""
    importing = _Import(files, asked, request, reading)
    dropped_so_far = list(reading.left_out)
    for _ in range(_ROUNDS):
        made = importing.plan(dropped_so_far)
        dropped = importing.dropped(made)
        if not dropped:
            return made
        dropped_so_far += dropped
    raise CantImport("what would be written isn't sound, however much is left out; nothing was changed")


def changed(files: Mapping[str, bytes], request: Request, reading: Reading) -> list[Change]:
    """What changed at the source since the last import. Raises `CantImport`."""
    if generated_path(request.upstream) not in files:
        raise CantImport(f"{generated_path(request.upstream)} is missing: restore it, or import once more")
    importing = _Import(files, Ledger("", ""), request, reading)
    return importing.described(importing.named()).drift


@dataclass
class _Described:
    """A contract whose words are those that were accepted, and how its source differs from what was imported last."""

    document: dict[str, Any]
    base: dict[str, Any]
    drift: list[Change]
    unsaid: list[LeftOut]


class _Import:
    def __init__(self, files: Mapping[str, bytes], asked: Ledger, request: Request, reading: Reading) -> None:
        self._files, self._asked, self._reading = files, asked, reading
        self._upstream, self._progress = request.upstream, request.progress
        self._cache, self._accepting = request.cache, request.accepts_words
        self._ledger = read_ledger(files, self._upstream)
        self._own = set({} if self._ledger is None else self._ledger.contracts)
        first = part_path(self._upstream, 1)
        if self._ledger is None and first in files:
            raise CantImport(f"{first} is there and wasn't imported: choose another --upstream, or move it")
        self._others = Others(files, self._own)
        self._without: set[str] = set()

    def named(self) -> list[Named]:
        """Every operation with its names."""
        before = {} if self._ledger is None else self._ledger.routes
        names = Names(self._upstream, before, self._others.ids(), self._others.routes())
        found, seen = [], set[str]()
        for each in self._reading.operations:
            if route_id(each) not in seen and route_id(each) not in self._without:
                seen.add(route_id(each))
                found.append(names.name(each))
        return found

    def contract(self, routes: Sequence[Named]) -> dict[str, Any]:
        """The contract of those routes."""
        self._progress("contract", 0, None)
        return contract(self._upstream, self._reading, routes, self._others.around(defaults_of(self._files)))

    def described(self, routes: Sequence[Named]) -> _Described:
        """The contract of those routes, held against the last one; raises `CantImport` where that isn't what was
        generated, as the words in it are what was accepted."""
        unsaid: list[Unsaid] = []
        document = worded(self.contract(routes), unsaid)
        told = left_out(unsaid, document, self._reading.files)
        data = self._files.get(generated_path(self._upstream))
        if data is None:
            return _Described(document, {}, [], told)
        if self._ledger is not None and self._ledger.accepted not in ("", _sha(data)):
            raise CantImport(f"{generated_path(self._upstream)} isn't as it was generated: restore it")
        base, differing = orjson.loads(data), list[tuple[str | int, ...]]()
        as_accepted = kept(document, base, differing)
        changes = [*words_drift(differing, unsaid, document), *drift(base, as_accepted)]
        changes.sort(key=lambda each: list(Grade).index(each.grade))
        return _Described(document if self._accepting else as_accepted, base, changes, told)

    def plan(self, dropped: Sequence[LeftOut]) -> Plan:
        routes = self.named()
        described = self.described(routes)
        document, base = described.document, described.base
        made = Plan(self._upstream, self._reading, routes, before=self._files, left_out=[*dropped, *described.unsaid])
        made.again, made.drift = self._ledger is not None, described.drift
        ledger = self._ledger or Ledger(self._asked.reader, "")
        parts = allotted(document, ledger.parts)
        texts = self._contracts(split(document, parts), split(base, ledger.parts), ledger, made.kept)
        self._own |= texts.keys()
        digests = {name: digest for name, (_, digest) in texts.items()}
        written = {
            "gateway.yaml": self._gateway(ledger, made.kept),
            **self._emptied(ledger, digests),
            **{name: data for name, (data, _) in texts.items()},
            generated_path(self._upstream): (generated := orjson.dumps(document)),
            **self._tail(
                routes, replace(ledger, parts=parts, contracts=digests, accepted=_sha(generated)), ledger, made.kept
            ),
        }
        made.files = {name: data for name, data in written.items() if self._files.get(name) != data}
        return made

    def _emptied(self, ledger: Ledger, digests: Mapping[str, str]) -> dict[str, bytes | None]:
        """Files of the contract that nothing stands in any more, unless people wrote in them."""
        gone = {name: digest for name, digest in ledger.contracts.items() if name not in digests}
        return {
            name: None for name, digest in gone.items() if name in self._files and _sha(self._files[name]) == digest
        }

    def _contracts(
        self, new: Mapping[int, dict[str, Any]], base: Mapping[int, dict[str, Any]], ledger: Ledger, kept: list[str]
    ) -> dict[str, tuple[bytes, str]]:
        """The contract's files: content, and the SHA-256 of what was generated."""
        made = {}
        for number, document in new.items():
            name = part_path(self._upstream, number)
            self._progress("contract", number, len(new))
            text = emit(document).encode()
            mine, digest = self._files.get(name), ledger.contracts.get(name, "")
            merged = merged_contract(mine, text, document, base.get(number, {}), digest, kept)
            made[name] = merged, _sha(text)
        return made

    def _tail(self, routes: Sequence[Named], new: Ledger, ledger: Ledger, kept: list[str]) -> dict[str, bytes | None]:
        """Policy, tests, sources and what the next import has to know."""
        upstream = self._upstream
        writes = tuple(each.operation_id for each in routes if each.found.effect is not Effect.READ)
        functions = cases(routes)
        policy, case = f"policies/{upstream}.cedar", f"tests/test_{upstream.replace('-', '_')}.py"
        made: dict[str, bytes | None] = {
            policy: _encoded(denials(upstream, self._text(policy), ledger.writes, writes)),
            case: _encoded(tests(upstream, self._text(case), ledger.tests, functions)),
            **merged_sources(folder(upstream), self._reading.files, self._files, ledger.files, kept),
        }
        remembered = replace(
            self._asked,
            routes={**ledger.routes, **{each.id: (each.method, each.path, each.operation_id) for each in routes}},
            writes=writes,
            tests=functions,
            config={"kind": self._reading.kind, **self._reading.config},
            files={name: _sha(data) for name, data in self._reading.files.items()},
            parts=new.parts,
            contracts=new.contracts,
            accepted=new.accepted,
        )
        return {**made, ledger_path(upstream): written_ledger(remembered)}

    def _text(self, name: str) -> str | None:
        data = self._files.get(name)
        return None if data is None else data.decode("utf-8", "replace")

    def _gateway(self, ledger: Ledger, kept: list[str]) -> bytes:
        """gateway.yaml with the upstream."""
        text = self._files["gateway.yaml"].decode("utf-8-sig")
        config = {"kind": self._reading.kind, **self._reading.config}
        mine = value_of("gateway.yaml", text.encode())
        base = {"upstreams": {self._upstream: ledger.config}} if ledger.config else {}
        upstreams = mine.get("upstreams") or {}
        known = (upstreams.get(self._upstream) or {}) if isinstance(upstreams, Mapping) else None
        if not isinstance(known, Mapping):
            raise CantImport(f"gateway.yaml has no mapping at upstreams.{self._upstream}: mend that first")
        if known.get("kind") not in (None, config["kind"]):
            sentence = f"gateway.yaml has '{self._upstream}' as {known.get('kind')}: choose another --upstream"
            raise CantImport(sentence)
        merged = merge(text, mine, base, {"upstreams": {self._upstream: config}})
        placed = value_of("gateway.yaml", merged.text.encode()).get("upstreams") or {}
        if not placed.get(self._upstream) and not ledger.config:
            raise CantImport(
                f"gateway.yaml has no place for '{self._upstream}' that is found: write it as blocks, one key a line; "
                "nothing was changed"
            )
        kept += [f"gateway.yaml: {each}" for each in merged.kept]
        return merged.text.encode()

    # Whether it is sound

    def dropped(self, made: Plan) -> list[LeftOut]:
        """The routes that `figway check` would refuse, left out from now on; raises `CantImport` for what isn't a
        route's fault. Without any, the plan's warnings are known."""
        self._progress("check", 0, None)
        after = {name: data for name, data in self._files.items() if made.files.get(name, data) is not None}
        after |= {name: data for name, data in made.files.items() if data is not None}
        refused = unfit({name: data for name, data in after.items() if not name.startswith("tests/")})
        if refused is not None:
            raise CantImport(f"{refused}: import less at a time, by --include; nothing was changed")
        findings, sound = _checked(after, self._cache)
        if sound:
            made.warnings = [each for each in findings if f"upstreams.{self._upstream}" in each.key]
            return []
        known = {(each.file, each.key, each.message) for each in _checked(self._files, self._cache)[0]}
        new = [each for each in findings if each.level == "error" and (each.file, each.key, each.message) not in known]
        if not new:
            return []
        found: list[LeftOut] = []
        for each in made.routes:
            place = f"paths.{each.path}.{each.method}"
            said = next((one for one in new if one.file in self._own and _within(one.key, place)), None)
            if said is not None:
                self._without.add(each.id)
                found.append(LeftOut(each.found.operation, said.message))
        if not found:
            raise CantImport(f"what would be written isn't sound: {new[0]}; nothing was changed")
        return found


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _within(key: str, place: str) -> bool:
    return key == place or key.startswith(place + ".")


def _checked(files: Mapping[str, bytes], cache: Path) -> tuple[tuple[Finding, ...], bool]:
    served = {name: data for name, data in files.items() if name.startswith(("gateway.yaml", "openapi/", "policies/"))}
    try:
        loaded = compile_workspace(served, cache=cache, environment=os.environ, strict_secrets=False)
    except InvalidWorkspace as error:
        return error.findings, False
    return loaded.findings, True


def _encoded(text: str) -> bytes | None:
    return text.encode() if text.strip() else None
