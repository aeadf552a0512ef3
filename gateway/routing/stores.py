"""Which stores and keys a workspace names, read before anything else: they are needed to know what is served."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from adapters.secret import Secret
from gateway.routing.references import References
from gateway.routing.report import Document, Report
from gateway.routing.schema import RingName, Stores
from gateway.store.contract import StoreError

_Model = TypeVar("_Model", bound=BaseModel)


def stores_of(workspace: Path) -> Stores:
    """`stores` of gateway.yaml, whose other keys may be wrong; raises `StoreError`. Blocks."""
    return _section(workspace, "stores", _Stores).stores


def given_keys(workspace: Path) -> dict[str, str]:
    """`keys` of gateway.yaml by ring; raises `StoreError`. Blocks."""
    given = _section(workspace, "keys", _Keys).keys
    return {name: secret.get_secret_value() for name, secret in given.items()}


class _Stores(BaseModel):
    stores: Stores = Stores()


class _Keys(BaseModel):
    keys: dict[RingName, Secret] = {}


def _section(workspace: Path, name: str, model: type[_Model]) -> _Model:
    """One key of gateway.yaml, its references resolved."""
    path = workspace / "gateway.yaml"
    try:
        document = yaml.safe_load(path.read_bytes())
        section = {} if document is None else document.get(name, {})
        references = References(Document("gateway.yaml", {}, {}), os.environ, True, Report())
        return model.model_validate({name: references.resolve(section)})
    except OSError as error:
        raise StoreError(f"{path} can't be read: {error.strerror}; name the folder with --workspace") from error
    except (yaml.YAMLError, AttributeError, ValidationError) as error:
        raise StoreError(f"{path} can't be used: 'figway check' says why") from error


def state_url(workspace: Path) -> str:
    """`stores.state`; raises `StoreError`. Blocks."""
    return stores_of(workspace).state


def audit_url(workspace: Path) -> str:
    """`stores.audit`; raises `StoreError`. Blocks."""
    return stores_of(workspace).audit
