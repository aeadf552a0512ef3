"""What distance costs: an agent's four calls straight to the systems, and the same through the gateway.

It is a program of the outside world: it talks to the systems by their own protocols, and to the gateway by HTTP only.
"""
