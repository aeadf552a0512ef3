"""The gateway's own routes: one file a subject, each a table of places; `routes` binds them to what they look at."""
