"""What became of writes: kept before they are sent, so that none is made twice and none is forgotten."""
