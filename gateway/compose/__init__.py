"""Composites: one route from several, run as parallel as it can be, and undone where a part of it fails."""
