"""`figway schema`: the JSON Schemas of what a workspace holds, for editors and other tools."""

from __future__ import annotations

import click

from gateway.cli.common import json_option, print_json
from gateway.routing.schema import extension_schema, gateway_schema

_SCHEMAS = {"gateway": gateway_schema, "x-gateway": extension_schema}
_EXAMPLE = """
\b
Example:
  figway schema gateway > gateway.schema.json
"""


@click.command("schema", help=f"Print the JSON Schemas of gateway.yaml and of x-gateway.\n{_EXAMPLE}")
@click.argument("which", required=False, type=click.Choice(sorted(_SCHEMAS)))
@json_option
def command(which: str | None, as_json: bool) -> None:
    """Prints one schema, or all by name. It is JSON with and without `--json`."""
    if which is not None:
        print_json(_SCHEMAS[which]())
    else:
        print_json({name: build() for name, build in _SCHEMAS.items()})
