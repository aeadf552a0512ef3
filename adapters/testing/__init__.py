"""What adapter authors test with: the conformance suite, its subjects and samples, and tapes; see README.md."""

from __future__ import annotations

from adapters.testing.conformance import AdapterConformance
from adapters.testing.subject import Changing, Sample, Subject
from adapters.testing.tape import InvalidTape, Replaying, Taping

__all__ = ["AdapterConformance", "Changing", "InvalidTape", "Replaying", "Sample", "Subject", "Taping"]
