"""What outlives a request: snapshots and API keys behind one small interface, and memory that workers share."""
