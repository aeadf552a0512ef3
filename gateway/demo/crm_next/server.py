"""The replacement's own process: backfills its store from the CRM's, unless it has one, and serves it.

    python -m gateway.demo.crm_next.server CRM_FILE STORE_FILE PORT

The bearer token is the environment's CRM_NEXT_TOKEN.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import uvicorn

from gateway.demo.crm_next.app import create_app
from gateway.demo.crm_next.backfill import backfill
from gateway.demo.crm_next.store import Store


def main(arguments: list[str]) -> None:
    """Serves until it is killed."""
    crm, path, port = arguments
    store = Store(Path(path))
    if not Path(path).exists():
        backfill(Path(crm), store)
    app = create_app(store, os.environ["CRM_NEXT_TOKEN"])
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main(sys.argv[1:])
