"""`figway init`: a workspace to start from, and a first API key."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.common import fail, json_option, print_json
from gateway.cli.key import Desk, described, sentences
from gateway.cli.recording import operator

_GATEWAY = """\
# What this gateway talks to. `figway schema` describes every key, `figway check` finds every mistake.
upstreams: {}
  # crm:
  #   kind: http
  #   base_url: https://crm.internal
  #   auth: {bearer: "env:CRM_TOKEN"}   # secrets are references, never literals
  #   deadline: 5s
  #   concurrency: 8

identity:
  api_keys: true
"""

_OPENAPI = """\
# Contracts

One OpenAPI 3.1 document a file (`customers.yaml`): what callers may use, whatever is behind it. Each operation says
what serves it:

```yaml
openapi: "3.1.0"
info: {title: Customers, version: "1"}
paths:
  /customers/{customer_id}:
    get:
      operationId: get_customer
      x-gateway:
        effect: read
        legacy: {upstream: crm, operation: "GET /v1/customers/{id}", input: {id: path.customer_id}}
      parameters: [{name: customer_id, in: path, required: true, schema: {type: string}}]
      responses:
        "200": {description: The customer., content: {application/json: {schema: {type: object}}}}
```

What an upstream says of itself (WSDL, copybook, table descriptions) goes into `sources/<upstream>/`.
"""

_ACCESS = """\
// Who may do what (Cedar). What no policy permits is denied.
// A key's roles are given when it is made: figway key create --principal alice --role reader
permit (principal in Role::"reader", action in Action::"read", resource);
"""

_FILES = {
    "gateway.yaml": _GATEWAY,
    "openapi/README.md": _OPENAPI,
    "policies/access.cedar": _ACCESS,
    ".gitignore": ".figway/\n",
}


@click.command(name="init", help="Start a workspace and print a first API key.\n\nExample: figway init my-gateway")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path())
@json_option
def command(directory: Path, as_json: bool) -> None:
    """`figway init [DIR]`."""
    with sentences():
        _write(directory)
        with Desk.open(directory) as desk:
            user = operator()
            text, key = desk.create(principal=user, roles=("reader",), expires=None)
    if as_json:
        print_json({"workspace": str(directory.absolute()), "key": text, **described(key)})
        return
    click.echo(f"{directory.absolute()} is a workspace. Next: name an upstream in gateway.yaml, then 'figway check'.")
    click.echo(f"The first API key, of {user} as reader, is shown only this once:", err=True)
    click.echo(text)


def _write(directory: Path) -> None:
    taken = [name for name in _FILES if name != ".gitignore" and (directory / name).exists()]
    if taken:
        fail(f"{directory / taken[0]} is there already: 'figway init' starts in a folder without a workspace")
    try:
        for name, text in _FILES.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text(text)
    except OSError as error:
        fail(f"{error.filename} can't be written: {error.strerror}")
