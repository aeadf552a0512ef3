"""Which stores a workspace names, read before anything else is: they are needed to know what is served at all."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from gateway.routing.schema import Stores
from gateway.store.contract import StoreError


def state_url(workspace: Path) -> str:
    """`stores.state` of gateway.yaml, whose other keys may be wrong; raises `StoreError`. Blocks."""
    path = workspace / "gateway.yaml"
    try:
        document = yaml.safe_load(path.read_bytes())
        stores = {} if document is None else document.get("stores", {})
        return Stores.model_validate(stores).state
    except OSError as error:
        raise StoreError(f"{path} can't be read: {error.strerror}; name the folder with --workspace") from error
    except (yaml.YAMLError, AttributeError, ValidationError) as error:
        raise StoreError(f"{path} can't be used: 'figway check' says why") from error
