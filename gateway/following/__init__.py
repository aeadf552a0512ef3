"""What agents follow by MCP: entities of captured sources as resources, and streams that say which have changed."""
