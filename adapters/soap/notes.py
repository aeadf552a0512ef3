"""What decoding a reply noticed beside the value."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.soap.attachments import Incoming

_MOST_WARNINGS = 10


@dataclass(slots=True)
class Notes:
    """What one decoding noticed: names that the WSDL doesn't know, and required ones that are missing."""

    unknown: dict[str, None] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    attached: Incoming = field(default_factory=Incoming)
    """What came beside the message, for the values that refer to it."""

    def warnings(self, system: str) -> tuple[str, ...]:
        """A sentence each, bounded."""
        sentences = [
            f"{system} answered '{name}', which its WSDL doesn't name; it was left out" for name in self.unknown
        ]
        sentences += [f"{system} left out '{name}', which its WSDL requires" for name in self.missing]
        return tuple(sentences[:_MOST_WARNINGS])
