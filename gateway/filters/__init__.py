"""Filters: one concern a file, each a `Filter` made for one route when its snapshot is compiled."""
