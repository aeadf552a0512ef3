"""JSON Schemas (Draft 2020-12) from the form: one for an operation's input, one for its output, each with only the
types that it reaches.

An element is a property, an attribute `@name`, text beside attributes `#text`, a repeated group `#items`, a type that
stands in for another `@xsi:type`. Optional is not required, nillable allows null, repeated is always an array. The two
directions differ: input takes numbers for decimals; output always has its arrays, empty ones too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from adapters.contract import JsonSchema
from adapters.soap.content import always_arrays, labels, members, required_names, wild, wildcard_span
from adapters.soap.form import (
    ANY_TYPE,
    BUILTIN,
    HEADERS,
    ITEMS,
    NILLED,
    TEXT,
    TYPE,
    WILD,
    Attribute,
    Complex,
    Element,
    Form,
    Group,
    Message,
    Particle,
    Simple,
)
from adapters.soap.order import shown
from adapters.soap.simple_schema import simple_schema, spelt

_Schema: TypeAlias = dict[str, Any]

XML_TEXT: JsonSchema = {"type": "string", "contentMediaType": "application/xml"}


def input_schema(form: Form, message: Message) -> JsonSchema:
    """What `invoke` takes for a request of this shape."""
    return _Schemas(form, output=False).message(message)


def output_schema(form: Form, message: Message | None) -> JsonSchema:
    """What a reply of this shape becomes; a one-way operation answers an empty object."""
    return _Schemas(form, output=True).message(message or Message())


def type_names(form: Form, keys: tuple[str, ...]) -> dict[str, str]:
    """Key → the name by which `@xsi:type` names the type: its local name, with its namespace where that is shared."""
    found = [(key, form.type(key)) for key in keys]
    local = [each.name for _, each in found]
    return {
        key: each.name if local.count(each.name) == 1 else f"{{{each.namespace}}}{each.name}" for key, each in found
    }


class _Schemas:
    def __init__(self, form: Form, *, output: bool) -> None:
        self._form = form
        self._output = output
        self._names: dict[str, str] = {}
        self._definitions: dict[str, _Schema] = {}

    def message(self, message: Message) -> JsonSchema:
        """The schema of a message's content, with `$defs`."""
        if message.unwrapped:
            key = message.parts[0].type
            found = self._complex(key)
            root = {"type": "object", **self._family(key, found)} if found.stands_in else self._object(found)
        else:
            root = self._object(Complex("", "", content=Group("sequence", message.parts)))
        if message.headers:
            blocks = self._object(Complex("", "", content=Group("sequence", message.headers)))
            root["properties"][HEADERS] = {**blocks, "minProperties": 1} if self._output else blocks
            if not self._output and any(each.least for each in message.headers):
                root["required"] = [*root.get("required", ()), HEADERS]
        return {**root, "$defs": self._definitions} if self._definitions else root

    def _complex(self, key: str) -> Complex:
        found = self._form.type(key)
        if not isinstance(found, Complex):
            raise TypeError(f"{key} isn't a complex type")
        return found

    def _reference(self, key: str) -> _Schema:
        """The schema of the type called `key`, by reference unless it is a plain built-in."""
        found = self._form.type(key)
        if key.startswith(BUILTIN):
            return self._type(key)
        if isinstance(found, Complex) and found.stands_in:
            return self._family(key, found)
        return self._define(key)

    def _define(self, key: str) -> _Schema:
        """A reference to the definition of `key`."""
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = self._free(key)
            self._definitions[name] = {}  # Holds the place: the type may reach itself.
            self._definitions[name] = self._type(key)
        return {"$ref": f"#/$defs/{name}"}

    def _free(self, key: str) -> str:
        """A definition's name: readable, free of characters that a JSON Pointer would escape."""
        wanted = self._form.type(key).name or key.rpartition("/")[2].removesuffix("#element").rpartition("}")[2]
        wanted = "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "_" for each in wanted)
        name, number = wanted, 2
        while name in self._definitions:
            name, number = f"{wanted}_{number}", number + 1
        return name

    def _family(self, key: str, base: Complex) -> _Schema:
        """A type that others may stand in for: each of those says so by `@xsi:type`."""
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = self._free(key)
            self._definitions[name] = {}
            names = type_names(self._form, (key, *base.derived))
            concrete = [each for each in names if not self._complex(each).abstract]
            members = [self._member(each, names[each], each == key) for each in concrete]
            # All may be abstract: then no value is of this type.
            self._definitions[name] = {"oneOf": members} if members else {"not": {}}
        return {"$ref": f"#/$defs/{name}"}

    def _member(self, key: str, name: str, own: bool) -> _Schema:
        schema = self._object(self._complex(key))
        properties = {TYPE: {"const": name}, **schema["properties"]}
        required = schema.get("required", []) if own else [TYPE, *schema.get("required", [])]
        return {**schema, "properties": properties, **({"required": required} if required else {})}

    def _type(self, key: str) -> _Schema:
        found = self._form.type(key)
        if isinstance(found, Simple):
            return simple_schema(self._form, found, output=self._output)
        return _any_type() if key == ANY_TYPE else self._object(found)

    def _object(self, found: Complex) -> _Schema:
        properties: _Schema = {}
        required: list[str] = []
        for attribute in found.attributes:
            properties[attribute.label] = self._attribute(attribute)
            if attribute.required:
                required.append(attribute.label)
        if found.text is not None or found.mixed:
            properties[TEXT] = dict(XML_TEXT) if found.text is None else self._reference(found.text)
            required.append(TEXT)
        rules: list[_Schema] = []
        if found.array:
            return self._array(found)
        if found.content is not None and not found.mixed:
            properties.update(self._properties(found.content))
            if found.order is not None:
                properties[ITEMS]["description"] = f"In the order {shown(found.order)}."
            required += self._required(found.content)
            rules = list(self._rules(found.content))
        schema: _Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if found.open:
            # What isn't declared is an attribute, and text.
            schema["additionalProperties"] = {"type": "string"}
            schema["propertyNames"] = {"anyOf": [{"enum": list(properties)}, {"pattern": "^@"}]}
        if found.documentation:
            schema["description"] = found.documentation
        if required:
            schema["required"] = required
        if len(rules) == 1:
            schema.update(rules[0])
        elif rules:
            schema["allOf"] = rules
        return schema

    def _array(self, found: Complex) -> _Schema:
        """An array of SOAP encoding, of as many levels as it has dimensions."""
        properties = self._properties(found.content or Group("sequence", ()))
        for name, schema in properties.items():
            for _ in range(found.dimensions - 1):
                schema = {"type": "array", "items": schema}
            properties[name] = schema
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        return {**schema, "required": list(properties)} if self._output else schema

    def _properties(self, content: Group) -> _Schema:
        found: _Schema = {}
        for member in members(content):
            if isinstance(member, Element):
                found[member.label] = self._element(member)
            else:
                found[member.key] = self._items(member)
        if wild(content):
            found[WILD] = {"type": "array", "items": dict(XML_TEXT), **wildcard_span(content)}
        return found

    def _element(self, element: Element) -> _Schema:
        schema = self._reference(element.type)
        found = self._form.type(element.type)
        schema |= spelt("const", self._form, found, element.fixed) | spelt(
            "default", self._form, found, element.default
        )
        if element.nillable:
            schema = {"anyOf": [schema, *self._nulls(found)]}
        if element.repeated:
            schema = {"type": "array", "items": schema, **_span(element)}
        if element.documentation:
            schema = {**schema, "description": element.documentation}
        return schema

    def _nulls(self, found: Simple | Complex) -> Iterator[_Schema]:
        """What stands for null: nothing, or the attributes of an element that is null."""
        attributes = found.attributes if isinstance(found, Complex) else ()
        if self._output or not any(each.required for each in attributes):
            yield {"type": "null"}
        if isinstance(found, Complex) and (attributes or found.open):
            shell = self._object(Complex("", "", attributes=attributes, open=found.open))
            properties = {NILLED: {"const": True}, **shell["properties"]}
            needed = [NILLED, *shell.get("required", ())]
            yield {**shell, "properties": properties, "required": needed, "minProperties": 2}

    def _items(self, group: Group) -> _Schema:
        """A repeated group: an array of objects, one a repetition."""
        if group.order == "choice" and wild(replace(group, key="")):
            item: _Schema = {"type": "object", "properties": self._properties(replace(group, key=""))}
            item |= {"additionalProperties": False, "minProperties": 1, "maxProperties": 1}
        else:
            item = self._object(Complex("", "", content=replace(group, key="", least=1, most=1)))
        return {"type": "array", "items": item, **_span(group)}

    def _attribute(self, attribute: Attribute) -> _Schema:
        schema = self._reference(attribute.type)
        found = self._form.type(attribute.type)
        schema |= spelt("const", self._form, found, attribute.fixed) | spelt(
            "default", self._form, found, attribute.default
        )
        return {**schema, "description": attribute.documentation} if attribute.documentation else schema

    def _required(self, content: Group) -> list[str]:
        arrays = always_arrays(content) if self._output else ()
        return list(dict.fromkeys([*required_names(content), *arrays]))

    def _rules(self, particle: Particle) -> Iterator[_Schema]:
        """What `required` can't say: choices, and groups that may be left out as a whole."""
        if not isinstance(particle, Group) or particle.key:
            return
        if particle.order != "choice" and particle.least > 0:
            for item in particle.items:
                yield from self._rules(item)
            return
        branches = particle.items if particle.order == "choice" else (replace(particle, least=1),)
        rules = self._branches(branches, optional=particle.least == 0)
        if rules is not None:
            yield rules

    def _branches(self, branches: Sequence[Particle], *, optional: bool) -> _Schema | None:
        names = [list(labels(branch)) for branch in branches]
        needs = [list(required_names(branch)) for branch in branches]
        everything = list(dict.fromkeys(name for each in names for name in each))
        # One required property a branch excludes all others by itself.
        single = all(len(own) == 1 and own == need for own, need in zip(names, needs, strict=True))
        rules: list[_Schema] = []
        for branch, own, need in zip(branches, names, needs, strict=True):
            inner = list(self._rules(branch))
            others = [] if single else [name for name in everything if name not in own]
            rules.append(_branch(need, others, inner))
        if optional:
            rules.append(_branch([], everything, []))
        exclusive = all(needs) and len(everything) == sum(map(len, names))
        return {"oneOf" if exclusive else "anyOf": rules} if any(rules) else None


def _branch(required: list[str], absent: list[str], inner: list[_Schema]) -> _Schema:
    rule: _Schema = {"required": required} if required else {}
    if absent:
        rule["properties"] = dict.fromkeys(absent, False)
    return {**rule, "allOf": inner} if inner else rule


def _any_type() -> _Schema:
    """XML text, or an object that says of which type it is."""
    name = {"type": "string", "pattern": r"^(?:\{[^{}]+\}|xsd:)?[A-Za-z_][A-Za-z0-9_.-]*$"}
    properties = {TYPE: name, TEXT: dict(XML_TEXT)}
    typed = {"type": "object", "properties": properties, "required": [TYPE, TEXT], "additionalProperties": False}
    return {"anyOf": [dict(XML_TEXT), typed]}


def _span(particle: Element | Group) -> _Schema:
    span: _Schema = {"minItems": particle.least} if particle.least else {}
    return span if particle.most is None else {**span, "maxItems": particle.most}
