"""Workspaces that somebody hostile wrote, or that came with an upstream: `figway check` reads them and harms nobody."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

_CONTRACT = """
openapi: 3.1.0
info: {title: X, version: "1"}
paths:
  /x/{id}:
    get:
      operationId: get_x
      tags: [x]
      summary: X
      parameters: [{name: id, in: path, required: true, schema: SCHEMA}]
      responses: {"200": {description: X., content: {application/json: {schema: REPLY}}}}
      x-gateway: {effect: read, legacy: {upstream: lab, operation: item.get, input: {sku: INPUT}, output: "OUTPUT"}}
"""
_SOAP = "upstreams: {lab: {kind: lab}, s: {kind: soap, wsdl: s.wsdl, address: 'http://127.0.0.1:1/'}}"
_WSDL = (
    '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:x="http://www.w3.org/2001/XMLSchema" '
    'targetNamespace="u">%s</definitions>'
)
_ISSUER = "upstreams: {lab: {kind: lab}}\nidentity: {issuers: [{issuer: '%s', audience: a}]}"
_FILES = "upstreams: {lab: {kind: lab}, f: {kind: files, root: /nowhere, datasets: {d: %s}}}"


def _checked(lab: Any, code: int | None = 1, **changes: str | bytes) -> str:
    """What `figway check` says of a workspace with these files (`__` for a slash) or parts of its contract."""
    folder = lab.gateway.folder.parent / f"hostile{lab.count}-{len(lab.seen)}"
    parts = {"SCHEMA": "{type: string}", "REPLY": "{type: object}", "INPUT": "path.id", "OUTPUT": "@"}
    contract = _CONTRACT
    for name, text in parts.items():
        given = changes.pop(name, text)
        contract = contract.replace(name, given if isinstance(given, str) else given.decode())
    files: dict[str, Any] = {"gateway.yaml": "upstreams: {lab: {kind: lab}}", "openapi__x.yaml": contract}
    files |= {"policies__access.cedar": "permit (principal, action, resource);", **changes}
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return _said(lab, folder, code)


def _said(lab: Any, folder: Path, code: int | None = 1) -> str:
    answer = lab.check(folder)
    lab.seen.append(answer["said"].replace(str(folder.parent), "").encode())
    assert answer["code"] in ((0, 1) if code is None else (code,)), answer
    assert answer["grown"] < lab.watching.MOST_GROWTH, answer["grown"]
    return str(answer["said"])


def good_workspace_is_good(lab: Any) -> None:
    assert "sound" in _checked(lab, 0)


def aliases_that_double(lab: Any) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    _checked(lab, **{"gateway.yaml": "\n".join(lines)})


def aliases_in_a_contract(lab: Any) -> None:
    schemas = ["    s0: &s0 {type: object, properties: {a: {type: string}}}"]
    for n in range(1, 12):
        members = ", ".join(f"m{m}: *s{n - 1}" for m in range(9))
        schemas.append(f"    s{n}: &s{n} {{type: object, properties: {{{members}}}}}")
    contract = _CONTRACT.replace("SCHEMA", "{type: string}").replace("INPUT", "path.id").replace("OUTPUT", "@")
    text = (
        contract.replace("REPLY", '{$ref: "#/components/schemas/s11"}')
        + "components:\n  schemas:\n"
        + "\n".join(schemas)
    )
    _checked(lab, None, **{"openapi__x.yaml": text})


def alias_of_itself(lab: Any) -> None:
    _checked(lab, **{"gateway.yaml": "upstreams: &a {lab: *a}"})


def tags_that_make_objects(lab: Any) -> None:
    marker = lab.gateway.folder.parent / "made-by-a-tag"
    for tag in (
        "!!python/object/apply:os.system",
        "!!python/object/new:subprocess.Popen",
        "!!python/name:os.system",
        "!include",
    ):
        _checked(lab, **{"gateway.yaml": f"upstreams: {tag} ['touch {marker}']"})
    assert not marker.exists()


def merge_keys_that_grow(lab: Any) -> None:
    lines = ["a0: &a0 {k: v}"] + [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], k{n}: v}}" for n in range(1, 26)]
    _checked(lab, **{"gateway.yaml": "\n".join(lines)})


def deep_yaml(lab: Any) -> None:
    _checked(lab, **{"gateway.yaml": "[" * 20_000 + "]" * 20_000})
    _checked(lab, **{"gateway.yaml": "upstreams: " + "{a: " * 5_000 + "1" + "}" * 5_000})


def key_given_twice(lab: Any) -> None:
    _checked(lab, **{"gateway.yaml": "upstreams: {lab: {kind: lab}}\nupstreams: {evil: {kind: lab}}"})


def yaml_that_is_none(lab: Any) -> None:
    for content in (b"\xff\xfe\x00", b"\x00", b"%YAML 9.9\n---\na", b"a: b: c", b"- - - -\n  ?", b"\x1b[2J: 1"):
        said = _checked(lab, None, **{"openapi__y.yaml": content})
        assert "\x1b" not in said


def reference_over_http(lab: Any) -> None:
    for scheme in ("http", "ftp", "https"):
        place = f"{scheme}://127.0.0.1:{lab.canary.port}/x.yaml#/a"
        _checked(lab, REPLY=f'{{$ref: "{place}"}}')


def reference_to_a_file(lab: Any) -> None:
    for place in (
        f"file://{lab.canary_file}",
        str(lab.canary_file),
        "../../canary.txt",
        "..\\..\\canary.txt",
        "/dev/zero",
    ):
        said = _checked(lab, REPLY=f"{{$ref: '{place}'}}")
        assert "canary-file-text" not in said


def reference_of_itself(lab: Any) -> None:
    said = _checked(lab, None, REPLY='{$ref: "#/paths/~1x~1{id}/get/responses/200/content/application~1json/schema"}')
    assert said


def reference_with_a_long_pointer(lab: Any) -> None:
    _checked(lab, REPLY='{$ref: "#' + "/a~1b" * 20_000 + '"}')


def pattern_that_backtracks(lab: Any) -> None:
    example = "a" * 60 + "!"
    _checked(lab, None, SCHEMA=f'{{type: string, pattern: "^(a+)+$", examples: ["{example}"], default: "{example}"}}')


def pattern_that_explodes(lab: Any) -> None:
    _checked(lab, None, SCHEMA='{type: string, pattern: "^((a{1,100}){1,100}){1,100}$"}')
    _checked(lab, None, SCHEMA='{type: string, pattern: "(?=a)(?<!b)(?P<x>.)(?R)"}')


def bounds_that_explode(lab: Any) -> None:
    _checked(lab, None, REPLY="{type: array, minItems: 999999999999, items: {type: string, minLength: 1e99}}")


def expression_that_is_deep(lab: Any) -> None:
    _checked(lab, OUTPUT="[" * 3_000 + "a" + "]" * 3_000)
    _checked(lab, None, OUTPUT=".".join(["a"] * 5_000))
    _checked(lab, None, OUTPUT="a" + "[]" * 3_000)


def expression_that_calls(lab: Any) -> None:
    for text in ("__import__('os').system('x')", "env('PATH')", "open('/etc/passwd')", "@.__class__.__mro__"):
        _checked(lab, None, OUTPUT=text)


def wsdl_import_over_http(lab: Any) -> None:
    place = f"{lab.canary.url}/evil.wsdl"
    document = (
        _WSDL % f'<import namespace="v" location="{place}"/>'
        f'<types><x:schema><x:import namespace="w" schemaLocation="{place}"/></x:schema></types>'
    )
    _checked(lab, **{"gateway.yaml": _SOAP, "s.wsdl": document})


def wsdl_import_of_a_file(lab: Any) -> None:
    for place in (f"file://{lab.canary_file}", str(lab.canary_file), "../../../canary.txt", "%2e%2e/%2e%2e/canary.txt"):
        said = _checked(lab, **{"gateway.yaml": _SOAP, "s.wsdl": _WSDL % f'<import namespace="v" location="{place}"/>'})
        assert "canary-file-text" not in said


def wsdl_with_entities(lab: Any) -> None:
    dtd = f'<!DOCTYPE d [<!ENTITY e SYSTEM "file://{lab.canary_file}"><!ENTITY h SYSTEM "{lab.canary.url}">]>'
    _checked(lab, **{"gateway.yaml": _SOAP, "s.wsdl": dtd + _WSDL % "<documentation>&e;&h;</documentation>"})


def wsdl_with_entities_that_double(lab: Any) -> None:
    entities = '<!ENTITY e0 "lol">' + "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    _checked(lab, **{"gateway.yaml": _SOAP, "s.wsdl": f"<!DOCTYPE d [{entities}]>" + _WSDL % "&e9;"})


def wsdl_that_imports_itself(lab: Any) -> None:
    _checked(lab, **{"gateway.yaml": _SOAP, "s.wsdl": _WSDL % '<import namespace="v" location="s.wsdl"/>'})


def wsdl_that_is_deep(lab: Any) -> None:
    _checked(lab, **{"gateway.yaml": _SOAP, "s.wsdl": _WSDL % ("<a>" * 50_000 + "</a>" * 50_000)})


def wsdl_outside_the_workspace(lab: Any) -> None:
    for place in ("../canary.txt", str(lab.canary_file), f"{lab.canary.url}/s.wsdl", "s.wsdl\0"):
        _checked(lab, **{"gateway.yaml": _SOAP.replace("s.wsdl", json.dumps(place))})


def copybook_outside_the_workspace(lab: Any) -> None:
    for place in ("../canary.txt", "/etc/passwd", str(lab.canary_file)):
        dataset = f"{{match: '*', format: copybook, copybook: '{place}', key: a}}"
        said = _checked(
            lab,
            **{"gateway.yaml": _FILES % dataset},
        )
        assert "canary-file-text" not in said
        assert "root:x" not in said


def copybook_that_explodes(lab: Any) -> None:
    lines = (
        ["       01 R."]
        + [f"         {n:02} G{n} OCCURS 9999." for n in range(2, 10)]
        + ["           10 A PIC X(9999)."]
    )
    dataset = "{match: '*', format: copybook, copybook: c.cpy, key: A}"
    gateway = f"upstreams: {{lab: {{kind: lab}}, f: {{kind: files, root: /nowhere, datasets: {{d: {dataset}}}}}}}"
    _checked(lab, None, **{"gateway.yaml": gateway, "c.cpy": "\n".join(lines)})


def match_outside_the_root(lab: Any) -> None:
    for place in ("../*", "/etc/*", "**/../../x", "a/\0"):
        dataset = f"{{match: {json.dumps(place)}, format: csv, key: a}}"
        _checked(
            lab,
            **{"gateway.yaml": _FILES % dataset},
        )


def links_in_the_workspace(lab: Any) -> None:
    folder = lab.gateway.folder.parent / f"linked{lab.count}"
    (folder / "openapi").mkdir(parents=True)
    (folder / "gateway.yaml").write_text("upstreams: {lab: {kind: lab}}")
    os.symlink(lab.canary_file, folder / "openapi" / "x.yaml")
    os.symlink(folder, folder / "openapi" / "loop")
    assert "canary-file-text" not in _said(lab, folder, None)


def policy_that_is_deep(lab: Any) -> None:
    texts = ["!" * 5_000 + "true", "(" * 5_000 + "true" + ")" * 5_000, "[" * 1_000 + "]" * 1_000 + " == 1"]
    texts += [
        " && ".join(["true"] * 20_000),
        " && ".join(["true"] * 3_000),
        "if true then " * 900 + "true" + " else true" * 900,
    ]
    for text in texts:
        _checked(lab, None, **{"policies__access.cedar": f"permit (principal, action, resource) when {{ {text} }};"})


def row_predicate_that_injects(lab: Any) -> None:
    for text in ("1=1; DROP TABLE x", "sku = 'a' --", "sku = (select 1)", "(" * 3_000 + "sku = 'a'" + ")" * 3_000):
        policy = f'@rows("{text}") permit (principal, action, resource);'
        _checked(lab, **{"policies__access.cedar": policy})


def secret_that_is_literal(lab: Any) -> None:
    said = _checked(
        lab,
        **{"gateway.yaml": "upstreams: {h: {kind: http, base_url: 'http://127.0.0.1:1', auth: {bearer: hunter2}}}"},
    )
    assert "hunter2" not in said


def reference_to_anything(lab: Any) -> None:
    """What a reference resolves to isn't told, even where it is no good."""
    for reference in (f"file:{lab.canary_file}", "env:FIGWAY_PLANTED"):
        said = _checked(
            lab,
            None,
            **{"gateway.yaml": f"upstreams: {{lab: {{kind: lab}}, h: {{kind: http, base_url: '{reference}'}}}}"},
        )
        assert "canary-file-text" not in said


def issuer_inside_the_network(lab: Any) -> None:
    for place in ("http://169.254.169.254", "file:///etc/passwd", "http://intranet", "https://user:pw@id.example.com"):
        _checked(
            lab,
            **{
                "gateway.yaml": _ISSUER % place,
            },
        )


def number_in_a_limit(lab: Any) -> None:
    for rate in ("1e309/s", "-1/s", "0/s", "999999999999999999999/s", "1/0s", "NaN/s"):
        _checked(lab, **{"policies__limits.yaml": f"rules: [{{match: {{principal: '*'}}, rate: {rate}}}]"})
