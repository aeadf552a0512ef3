"""What keeps replicas current: each captured source is pulled, and stored in the log; see README.md."""
