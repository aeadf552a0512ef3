"""The replacement's own process.

CRM_NEXT_TOKEN=… python -m gateway.demo.crm_next.server STORE PORT
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import uvicorn

from gateway.demo.crm_next.api import create_app


def main(arguments: list[str]) -> None:
    """Serves on loopback until it is killed."""
    store, port = arguments
    app = create_app(Path(store), os.environ["CRM_NEXT_TOKEN"])
    uvicorn.run(app, host="127.0.0.1", port=int(port), access_log=False, log_level="warning", lifespan="off")


if __name__ == "__main__":
    main(sys.argv[1:])
