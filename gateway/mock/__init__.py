"""Replies that nothing answers: examples of what a contract promises."""
