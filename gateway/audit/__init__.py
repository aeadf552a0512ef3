"""The audit: one record for every call, chained by hashes, so that a change to what was written shows."""
