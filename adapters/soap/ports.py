"""Chooses the port that a configuration means, and says what is wrong when there is none."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from adapters.contract import Workspace
from adapters.errors import ConfigError, ConfigProblem
from adapters.soap.config import Config
from adapters.soap.form import Form, PortForm

_SERVICE = re.compile(rb"<(?:[\w.-]+:)?service[\s>]")


def chosen(form: Form, config: Config, workspace: Workspace) -> PortForm:
    """The one port that `config` means; raises `ConfigError`."""
    line = _line(workspace.files.get(config.wsdl, b""))
    if not form.ports:
        raise _error("the WSDL has no service with a SOAP port", "/wsdl", config, line)
    ports = _of_service(form, config, line)
    if config.port is not None:
        named = [port for port in ports if port.name == config.port]
        if not named:
            raise _error(_unknown("port", config.port, [port.name for port in ports]), "/port", config, line)
        ports = named
    port = min(ports, key=lambda each: (not each.operations, each.soap))
    if not port.operations:
        reasons = "; ".join(f"{name} uses {reason}" for name, reason in list(port.left_out.items())[:3])
        raise _error(
            f"no operation of port '{port.name}' can be called: {reasons or 'it has none'}", "/wsdl", config, line
        )
    return port


def address(config: Config, port: PortForm) -> str:
    """Where the service is; "" when the configuration refers to a value that isn't set. Raises `ConfigError`."""
    if config.address == "":
        return ""
    found = port.address if config.address is None else config.address
    parts = urlsplit(found)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        if config.address is None:
            message = f"the WSDL gives port '{port.name}' no http address; set `address`"
        else:
            message = "the address isn't an http or https URL"
        raise ConfigError([ConfigProblem(message, "/address")])
    return found


def _of_service(form: Form, config: Config, line: int | None) -> list[PortForm]:
    names = list(dict.fromkeys(port.service for port in form.ports))
    if config.service is None:
        if len(names) > 1:
            message = f"the WSDL has several services; set `service` to one of {', '.join(names)}"
            raise _error(message, "/service", config, line)
        return list(form.ports)
    ports = [port for port in form.ports if port.service == config.service]
    if not ports:
        raise _error(_unknown("service", config.service, names), "/service", config, line)
    return ports


def _unknown(kind: str, name: str, known: list[str]) -> str:
    return f"the WSDL has no SOAP {kind} '{name}'; there is {', '.join(dict.fromkeys(known))}"


def _error(message: str, where: str, config: Config, line: int | None) -> ConfigError:
    return ConfigError([ConfigProblem(message, where, config.wsdl, line)])


def _line(wsdl: bytes) -> int | None:
    """The line of the first service, or the first line."""
    found = _SERVICE.search(wsdl)
    return 1 if found is None else wsdl.count(b"\n", 0, found.start()) + 1
