"""The CRM's replacement: a REST service of its own with a store of its own, filled from the CRM's data.

It differs from the CRM as replacements do; the room's README lists how.
"""
