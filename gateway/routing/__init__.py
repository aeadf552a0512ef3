"""The workspace becomes an immutable snapshot: routes, bindings, upstreams, policies, each checked and compiled."""
