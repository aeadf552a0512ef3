"""`figway schema`: the JSON Schemas of what a workspace holds, for editors and other tools."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from gateway.cli.common import json_option, print_json
from gateway.routing.policy_files import POLICY_FILES, policy_file_schema
from gateway.routing.schema import extension_schema, gateway_schema

_SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "gateway": gateway_schema,
    "x-gateway": extension_schema,
    **{name.removesuffix(".yaml"): partial(policy_file_schema, name) for name in POLICY_FILES},
}
_EXAMPLE = """
\b
Example:
  figway schema gateway > gateway.schema.json
"""


@click.command("schema", help=f"Print the JSON Schemas of gateway.yaml, x-gateway and the policy files.\n{_EXAMPLE}")
@click.argument("which", required=False, type=click.Choice(sorted(_SCHEMAS)))
@json_option
def command(which: str | None, as_json: bool) -> None:
    """Prints one schema, or all by name. It is JSON with and without `--json`."""
    if which is not None:
        print_json(_SCHEMAS[which]())
    else:
        print_json({name: build() for name, build in _SCHEMAS.items()})
