"""Which stores a workspace names, read before anything else is: they are needed to know what is served at all."""

from __future__ import annotations

import os
from pathlib import Path

import yaml
from pydantic import ValidationError

from gateway.routing.references import References
from gateway.routing.report import Document, Report
from gateway.routing.schema import Stores
from gateway.store.contract import StoreError


def stores_of(workspace: Path) -> Stores:
    """`stores` of gateway.yaml, whose other keys may be wrong; raises `StoreError`. Blocks."""
    path = workspace / "gateway.yaml"
    try:
        document = yaml.safe_load(path.read_bytes())
        stores = {} if document is None else document.get("stores", {})
        references = References(Document("gateway.yaml", {}, {}), os.environ, True, Report())
        return Stores.model_validate(references.resolve(stores))
    except OSError as error:
        raise StoreError(f"{path} can't be read: {error.strerror}; name the folder with --workspace") from error
    except (yaml.YAMLError, AttributeError, ValidationError) as error:
        raise StoreError(f"{path} can't be used: 'figway check' says why") from error


def state_url(workspace: Path) -> str:
    """`stores.state`; raises `StoreError`. Blocks."""
    return stores_of(workspace).state


def limits_url(workspace: Path) -> str:
    """`stores.limits`; raises `StoreError`. Blocks."""
    return stores_of(workspace).limits


def audit_url(workspace: Path) -> str:
    """`stores.audit`; raises `StoreError`. Blocks."""
    return stores_of(workspace).audit
