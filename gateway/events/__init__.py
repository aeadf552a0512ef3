"""The log of changes, and the replicas that follow it; see README.md."""
