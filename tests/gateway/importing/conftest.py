"""Workspaces that imports are made into, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from beside import beside
from click.testing import CliRunner

from gateway.cli import app

REPOSITORY = Path(__file__).parents[3]


@dataclass
class Workspace:
    """A fresh workspace."""

    folder: Path

    def figway(self, *arguments: str) -> tuple[int, str]:
        """Runs a verb on it: exit code and output, both streams."""
        # What isn't a finding is an exception of ours, which must show.
        done = CliRunner(catch_exceptions=False).invoke(app, [*arguments, "--workspace", str(self.folder)])
        return done.exit_code, done.output

    def imported(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """What an import says of itself."""
        exit_code, output = self.figway("import", *arguments, "--json")
        assert exit_code == code, output
        told: dict[str, Any] = json.loads(output)
        return told

    def text(self, name: str) -> str:
        """A file of it."""
        return (self.folder / name).read_text()

    def write(self, name: str, text: str) -> None:
        """Changes a file of it."""
        (self.folder / name).write_text(text)

    def files(self) -> dict[str, bytes]:
        """All its files but the state."""
        paths = (path for path in self.folder.rglob("*") if path.is_file() and ".figway" not in path.parts)
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace as `figway init` makes it, but for the key."""
    folder = tmp_path / "workspace"
    (folder / "openapi").mkdir(parents=True)
    (folder / "policies").mkdir()
    made = Workspace(folder)
    made.write("gateway.yaml", "upstreams: {}\n  # what this gateway talks to\n\nidentity:\n  api_keys: true\n")
    permit = 'permit (principal in Role::"reader", action in Action::"read", resource);\n'
    made.write("policies/access.cedar", permit)
    return made


@pytest.fixture
def service(tmp_path: Path) -> Callable[..., Path]:
    """Writes a WSDL from some of its parts; answers its path."""

    def write(elements: str, operations: tuple[str, ...], types: str = "", name: str = "shop.wsdl") -> Path:
        path = tmp_path / name
        path.write_text(_wsdl(elements, operations, types))
        return path

    return write


def _wsdl(elements: str, operations: tuple[str, ...], types: str) -> str:
    messages = "".join(
        f'<w:message name="{each}In"><w:part name="p" element="t:{each}"/></w:message>'
        f'<w:message name="{each}Out"><w:part name="p" element="t:{each}Response"/></w:message>'
        for each in operations
    )
    port = "".join(
        f'<w:operation name="{each}"><w:input message="t:{each}In"/><w:output message="t:{each}Out"/></w:operation>'
        for each in operations
    )
    bound = "".join(
        f'<w:operation name="{each}"><s:operation soapAction="{each}"/>'
        '<w:input><s:body use="literal"/></w:input><w:output><s:body use="literal"/></w:output></w:operation>'
        for each in operations
    )
    return (
        '<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" '
        'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t"><w:types>\n'
        f'<xs:schema targetNamespace="urn:t" elementFormDefault="qualified">\n{types}\n{elements}\n</xs:schema>'
        f'</w:types>{messages}<w:portType name="P">{port}</w:portType><w:binding name="B" type="t:P">'
        f'<s:binding transport="http://schemas.xmlsoap.org/soap/http"/>{bound}</w:binding>'
        '<w:service name="Shop"><w:port name="ShopPort" binding="t:B"><s:address location="http://127.0.0.1:1/"/>'
        "</w:port></w:service></w:definitions>"
    )


@pytest.fixture(scope="session")
def real() -> ModuleType:
    """`real.py` beside the tests of SOAP: servers of several makers."""
    return beside(__file__, "../../adapters/soap/real")


@pytest.fixture(scope="session")
def php() -> Iterator[str]:
    """The base URL of the PHP server with the service of orders."""
    yield from beside(__file__, "../../adapters/soap/conftest")._php()
