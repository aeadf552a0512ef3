"""A workspace's files become what a snapshot serves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.routing.folder import read_workspace
from gateway.routing.load import Loaded
from gateway.routing.model import Finding, InvalidWorkspace
from gateway.store.contract import files_hash

Load = Callable[..., Loaded]
Problems = Callable[..., list[Finding]]
Files = dict[str, bytes]

TOKEN = {"SHOP_TOKEN": "t0ken"}


def _edited(files: Files, name: str, *changes: tuple[str, str]) -> Files:
    text = files[name].decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return {**files, name: text.encode()}


def test_a_route_is_compiled(files: Files, load: Load) -> None:
    compiled = load(files).compiled
    (route,) = compiled.routes
    assert (route.operation_id, route.method, route.path, route.effect, route.group, route.status) == (
        "get_thing",
        "GET",
        "/things/{thing_id}",
        "read",
        "things",
        200,
    )
    assert route.where == "openapi/things.yaml:7"
    assert route.legacy is not None
    assert route.legacy.input is not None
    assert route.legacy.input["id"]({"path": {"thing_id": "7"}}) == "7"
    assert route.legacy.fields == {"id": "Id", "name": "Name"}
    assert compiled.defaults.page == 50
    assert compiled.upstreams["shop"].concurrency == 8


def test_schemas_stand_on_their_own(files: Files, load: Load) -> None:
    (route,) = load(files).compiled.routes
    (parameter,) = route.parameters
    assert parameter.schema["pattern"] == "^[0-9]+$"
    assert route.reply is not None
    assert route.reply["$ref"] == "#/$defs/Thing"
    assert set(route.reply["$defs"]) == {"Thing", "ThingId"}


def test_a_schema_of_another_contract_is_taken_along(files: Files, load: Load) -> None:
    parts = "openapi: 3.1.0\ninfo: {title: P, version: '1'}\ncomponents: {schemas: {Part: {type: object}}}\n"
    changed = _edited(
        {**files, "openapi/parts.yaml": parts.encode()},
        "openapi/things.yaml",
        ('items: {$ref: "#/components/schemas/Thing"}', 'items: {$ref: "parts.yaml#/components/schemas/Part"}'),
    )
    compiled = load(changed).compiled
    assert compiled.routes[0].reply is not None
    assert set(compiled.routes[0].reply["$defs"]) == {"Thing", "ThingId", "Part"}
    schemas = compiled.document["components"]["schemas"]
    assert schemas["Thing"]["properties"]["parts"]["items"] == {"$ref": "#/components/schemas/Part"}


def test_an_unset_reference_warns_in_check_and_stops_serve(files: Files, load: Load) -> None:
    (warning,) = load(files).findings
    assert (warning.level, warning.file, warning.line, warning.key) == (
        "warning",
        "gateway.yaml",
        2,
        "upstreams.shop.auth.bearer",
    )
    with pytest.raises(InvalidWorkspace) as raised:
        load(files, strict_secrets=True)
    assert [each.level for each in raised.value.findings] == ["error"]
    assert load(files, TOKEN, strict_secrets=True).findings == ()


def test_a_reference_to_a_file(files: Files, load: Load, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("from-file\n")
    changed = _edited(files, "gateway.yaml", ("env:SHOP_TOKEN", f"file:{secret}"))
    config: Any = load(changed, strict_secrets=True).compiled.upstreams["shop"].config
    assert config.auth.bearer.get_secret_value() == "from-file"
    secret.unlink()
    assert "can't be read" in load(changed).findings[0].message


def test_the_hash_is_of_the_files_whatever_their_order(files: Files, load: Load) -> None:
    assert files_hash(dict(reversed(files.items()))) == load(files).compiled.hash
    assert files_hash(_edited(files, "policies/access.cedar", ("read", "write"))) != load(files).compiled.hash


def test_an_adapter_is_kept_until_something_it_depends_on_changes(files: Files, load: Load) -> None:
    first = load(files, TOKEN)
    spec = first.compiled.upstreams["shop"]
    existing = {spec.digest: first.adapters["shop"]}
    contract = _edited(files, "openapi/things.yaml", ("The thing.", "One thing."))
    assert load(contract, TOKEN, existing=existing).adapters["shop"] is first.adapters["shop"]
    for changed in (
        load(files, {"SHOP_TOKEN": "another"}, existing=existing),
        load(_edited(files, "gateway.yaml", ("shop.test", "shop2.test")), TOKEN, existing=existing),
        load(_edited(files, "gateway.yaml", ("{kind: http,", "{kind: http, deadline: 1s,")), TOKEN, existing=existing),
        load({**files, "openapi/sources/shop/ca.pem": b"x"}, TOKEN, existing=existing),
    ):
        assert changed.adapters["shop"] is not first.adapters["shop"]
    other = {**files, "openapi/sources/other/x.wsdl": b"x"}
    assert load(other, TOKEN).compiled.upstreams["shop"].digest != spec.digest
    both = _edited(files, "gateway.yaml", ("upstreams:\n", 'upstreams:\n  other: {kind: http, base_url: "http://o"}\n'))
    kept = load({**both, "openapi/sources/other/x.wsdl": b"x"}, TOKEN, existing=existing)
    assert kept.adapters["shop"] is first.adapters["shop"]


def test_what_is_compiled_cannot_be_changed(files: Files, load: Load) -> None:
    compiled = load(files).compiled
    with pytest.raises(TypeError):
        compiled.files["gateway.yaml"] = b""  # type: ignore[index]
    with pytest.raises(TypeError):
        compiled.upstreams["x"] = compiled.upstreams["shop"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "key", "sentence"),
    [
        (("/things/{thing_id}:", "/-/{thing_id}:"), "paths./-/{thing_id}", "keeps /-/"),
        (("/things/{thing_id}:", "/things/x{thing_id}:"), "paths./things/x{thing_id}", "one {parameter}"),
        (("effect: read", "effect: read\n        location: /things/{ident}"), "location", "has no 'ident'"),
        (("openapi: 3.1.0", "openapi: 3.0.3"), "openapi", "OpenAPI 3.1"),
        (("    get:", "    trace: {}\n    get:"), "trace", "unknown key"),
        (("legacy:", "compose: {steps: {a: {route: get_thing}}, output: a}\n        legacy:"), "x-gateway", "or else"),
        (("Parts[].{id: Id,", "Parts[].{ident: Id,"), "output", "has no 'parts[].ident'"),
        (("{id: Id, name: Name, parts", "{id: Id, parts"), "output", "needs 'name'"),
        (("application/json", "text/*"), "content.text/*", "only JSON"),
        (("application/json", "text/html"), "output", "makes several values"),
        (("path.thing_id", "cookie.thing_id"), "input.id", "there is no 'cookie'"),
    ],
)
def test_contracts_that_are_refused(
    files: Files, problems: Problems, change: tuple[str, str], key: str, sentence: str
) -> None:
    found = problems(_edited(files, "openapi/things.yaml", change))
    assert any(each.key.endswith(key) and sentence in each.message for each in found), found


def test_components_of_one_name_must_be_one_thing(files: Files, problems: Problems) -> None:
    other = "openapi: 3.1.0\ninfo: {title: P, version: '1'}\ncomponents: {schemas: {Thing: {type: string}}}\n"
    found = problems({**files, "openapi/x.yaml": other.encode()})
    assert [(each.file, each.line, each.key) for each in found] == [("openapi/x.yaml", 3, "components.schemas.Thing")]
    assert "'Thing' is another thing in openapi/things.yaml" in found[0].message


def test_a_folder_is_read_whole_and_never_left(tmp_path: Path, files: Files) -> None:
    root = tmp_path / "ws"
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "openapi" / ".swp").write_text("x")
    (root / "README.md").write_text("x")
    (root / "openapi" / "sources").mkdir()
    (root / "openapi" / "sources" / "same.yaml").symlink_to(root / "openapi" / "things.yaml")
    assert set(read_workspace(root)) == {*files, "openapi/sources/same.yaml"}
    (tmp_path / "secret").write_text("s")
    (root / "openapi" / "leak.yaml").symlink_to(tmp_path / "secret")
    with pytest.raises(InvalidWorkspace) as raised:
        read_workspace(root)
    assert raised.value.findings[0].file == "openapi/leak.yaml"


def test_a_file_beyond_the_bound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_bytes(b"#" * (8 * 2**20 + 1))
    with pytest.raises(InvalidWorkspace) as raised:
        read_workspace(tmp_path)
    assert "larger than" in raised.value.findings[0].message
