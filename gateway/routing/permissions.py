"""What callers may be permitted on the gateway itself, beside its routes: Cedar actions on `Gateway::"figway"`.

An operationId holds no colon, so that a route's action and a permission can't be taken for each other.
"""

from __future__ import annotations

from collections.abc import Mapping

PERMISSIONS: Mapping[str, str] = {
    "gateway:read_audit": "search and export the audit",
    "gateway:read_changes": "see what is captured, how current it is and what it promises",
    "gateway:read_events": "follow what changes in the systems, as far as routes show it",
    "gateway:replay_events": "see what webhooks and streams didn't take, and have it sent again",
    "gateway:read_lineage": "see where any call's reply came from",
    "gateway:read_metrics": "scrape /-/metrics",
    "gateway:read_operations": "see what became of other callers' operations",
    "gateway:explain_policy": "ask which policies would decide on a call",
    "gateway:administer": "change what the gateway does, through /-/admin",
    "gateway:stop_agents": "stop and resume agents, runs and operations, through /-/admin/stops",
    "gateway:approve": "decide on what others want to change, through /-/approvals",
}
"""Permission → what it lets one do."""
