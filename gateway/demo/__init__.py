"""The demo estate: the legacy systems that the demo's workspace wraps. It is the outside world: it imports nothing
of figway's, and figway knows it only by addresses, connection strings and files."""

from __future__ import annotations

from gateway.demo.estate import Estate, EstateFailed
from gateway.demo.place import workspace_dir

__all__ = ["Estate", "EstateFailed", "workspace_dir"]
