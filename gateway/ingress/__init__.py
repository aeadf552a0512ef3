"""Ingress: requests become calls."""
