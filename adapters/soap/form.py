"""The intermediate form: what a WSDL says, as plain values of our own that go through JSON unchanged.

Types refer to each other by key, so recursion needs no cycles. A key is `{namespace}Name` for a named type, a path
below its owner for an anonymous one, and `xsd:name` for a built-in of XML Schema (those have no entry in the table).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

FORM_VERSION = 4
"""Goes up whenever the form or its compiler changes: stored forms of another version are rebuilt."""

BUILTIN = "xsd:"
ANY_TYPE = BUILTIN + "anyType"

TYPE = "@xsi:type"
NILLED = "@xsi:nil"
TEXT = "#text"
WILD = "#any"
ITEMS = "#items"
HEADERS = "#headers"
"""Properties of JSON objects that aren't elements or attributes: a standing-in type, that an element is null though it
has attributes, text beside attributes, XML text of elements that the schema doesn't name, repetitions of a group,
header blocks of the message."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element within a content model. `most` is None for unbounded."""

    name: str
    namespace: str
    type: str
    least: int = 1
    most: int | None = 1
    nillable: bool = False
    default: str | None = None
    fixed: str | None = None
    documentation: str = ""
    spelling: str = ""
    kind: Literal["element"] = "element"

    @property
    def label(self) -> str:
        """Its property in JSON: its name, with its namespace where another one beside it has the same name."""
        return self.spelling or self.name

    @property
    def repeated(self) -> bool:
        """Whether it is an array in JSON."""
        return self.most is None or self.most > 1

    @property
    def tag(self) -> str:
        """Its name as lxml spells it."""
        return f"{{{self.namespace}}}{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`xsd:any`: elements that the schema doesn't name, kept as XML text under `#any`."""

    least: int = 1
    most: int | None = 1
    kind: Literal["any"] = "any"


@dataclass(frozen=True, slots=True)
class Group:
    """A sequence, choice or all. A repeated one has a `key`: the property that holds its repetitions in order."""

    order: Literal["sequence", "choice", "all"]
    items: tuple[Particle, ...]
    least: int = 1
    most: int | None = 1
    key: str = ""
    kind: Literal["group"] = "group"


Particle: TypeAlias = Annotated[Element | Wildcard | Group, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute; `@name` in JSON."""

    name: str
    namespace: str
    type: str
    required: bool = False
    default: str | None = None
    fixed: str | None = None
    documentation: str = ""
    spelling: str = ""

    @property
    def label(self) -> str:
        """Its property in JSON: `@` and its name, with its namespace where another one beside it has the same name."""
        return f"@{self.spelling or self.name}"

    @property
    def tag(self) -> str:
        """Its name as lxml spells it."""
        return f"{{{self.namespace}}}{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple type. `members` are the item type of a list, or the member types of a union."""

    name: str
    namespace: str
    primitive: str
    """The built-in that it descends from, such as "decimal"."""
    variety: Literal["atomic", "list", "union"] = "atomic"
    members: tuple[str, ...] = ()
    enumeration: tuple[str, ...] = ()
    patterns: tuple[tuple[str, ...], ...] = ()
    """A value matches at least one pattern of each step of derivation."""
    facets: Mapping[str, str] = field(default_factory=dict)
    """minLength, maxLength, length, minInclusive, maxInclusive, minExclusive, maxExclusive, totalDigits,
    fractionDigits, whiteSpace."""
    documentation: str = ""
    kind: Literal["simple"] = "simple"


@dataclass(frozen=True, slots=True)
class Complex:
    """A complex type with what it inherits already laid out: base content first, then its own."""

    name: str
    namespace: str
    content: Group | None = None
    text: str | None = None
    """The key of the simple type of its text, when it has simple content."""
    attributes: tuple[Attribute, ...] = ()
    open: bool = False
    """Whether it may have attributes that the schema doesn't name."""
    order: Group | None = None
    """The model that elements must follow, where `content` lists them one by one under `#items`."""
    array: str = ""
    """The key of the items' type, when it is an array of SOAP encoding (SOAP 1.1, section 5.4.2)."""
    dimensions: int = 1
    """Of such an array."""
    mixed: bool = False
    abstract: bool = False
    derived: tuple[str, ...] = ()
    """Keys of the named types that may stand in for it by xsi:type, near and far."""
    documentation: str = ""
    kind: Literal["complex"] = "complex"

    @property
    def stands_in(self) -> bool:
        """Whether values may have to say by xsi:type of which type they are."""
        return self.abstract or bool(self.derived)


Type: TypeAlias = Annotated[Simple | Complex, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class Message:
    """What stands in soap:Body. `unwrapped`: there is one element of complex type, whose content is the value."""

    parts: tuple[Element, ...] = ()
    unwrapped: bool = False
    rpc: bool = False
    """An rpc wrapper, which a server may name as it likes in its reply (WS-I Basic Profile 1.1, R2729)."""
    encoded: bool = False
    """In SOAP encoding: each element tells its type, and values may refer to each other (SOAP 1.1, section 5)."""
    headers: tuple[Element, ...] = ()
    """Header blocks that travel with it, under `#headers`."""
    attachments: tuple[str, ...] = ()
    """Names of the parts that the WSDL binds to MIME attachments."""


@dataclass(frozen=True, slots=True)
class FaultForm:
    """A fault that an operation declares: its name and the element in the detail."""

    name: str
    element: Element


@dataclass(frozen=True, slots=True)
class OperationForm:
    """One operation of a port; `output` is None for a one-way operation."""

    name: str
    action: str
    input: Message
    output: Message | None
    faults: tuple[FaultForm, ...] = ()
    documentation: str = ""
    addressed: str = ""
    """The action of WS-Addressing."""


@dataclass(frozen=True, slots=True)
class PortForm:
    """One port of a service: where it is, which SOAP it speaks, what it can do and what it leaves out, and why."""

    service: str
    name: str
    soap: Literal["1.1", "1.2"]
    address: str
    operations: Sequence[OperationForm]
    left_out: Mapping[str, str]
    names: tuple[str, ...]
    """The operations' names, in their order; a stored form's operations are read when they are asked for."""


@dataclass(frozen=True, slots=True)
class Form:
    """A whole WSDL: its ports in the document's order, and the types that their operations reach."""

    ports: tuple[PortForm, ...]
    types: Mapping[str, Type]

    def type(self, key: str) -> Simple | Complex:
        """The type called `key`, built-ins included."""
        return builtin(key) if key.startswith(BUILTIN) else self.types[key]


# The built-in list types of XML Schema part 2, section 3.3, and what they are lists of.
_LISTS = {"NMTOKENS": "NMTOKEN", "IDREFS": "IDREF", "ENTITIES": "ENTITY"}


def builtin(key: str) -> Simple | Complex:
    """The built-in type called `xsd:name`; `xsd:anyType` is a complex type of mixed content."""
    name = key.removeprefix(BUILTIN)
    if key == ANY_TYPE:
        return Complex(name=name, namespace=BUILTIN, mixed=True)
    if name in _LISTS:
        return Simple(name, BUILTIN, "string", variety="list", members=(BUILTIN + _LISTS[name],))
    return Simple(name, BUILTIN, name)
