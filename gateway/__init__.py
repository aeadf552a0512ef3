"""figway: a strangler-fig API gateway for systems that have no usable API."""

__version__ = "0.1.0"
