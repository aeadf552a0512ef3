"""A tour: the customers move from the old CRM to the new one under load, by the verbs that a platform team uses.

It is a program of the outside world: it talks to the gateway by HTTP and by the command line only.
"""
