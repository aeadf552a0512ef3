"""What holds at each place of a body: how its texts are read and which rules apply; worked out when first met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.contract import JsonSchema
from gateway.migration.compare.rules import Rule, State, ended, names_items, step
from gateway.migration.compare.values import Form
from gateway.routing.parity_schema import EnumMap, Known, Tolerance, Unordered
from gateway.routing.paths import at_member

_FORMS: Mapping[str, Form] = {"decimal": "decimal", "date-time": "instant", "date": "date", "byte": "bytes"}
_TELLING = ("type", "enum", "const", "format", "pattern")
# An object whose members' names are data would have a node for each of them.
_MOST_MEMBERS = 500


class Node:
    """One place. `pattern` is its pointer, with `*` for items and for members that no contract names."""

    __slots__ = (
        "_branches", "_declared", "_entity", "_indexed", "_item", "_members", "_root", "_states", "enum_map", "form",
        "ignore", "is_next", "known", "null_is_absent", "pattern", "presence", "tolerance", "unordered",
    )  # fmt: skip

    def __init__(
        self, pattern: str, schemas: Sequence[JsonSchema], root: JsonSchema, states: tuple[State, ...],
        known: tuple[Rule, ...] = (), *, entity: tuple[State, ...] | None = None, is_next: bool = False,
    ) -> None:  # fmt: skip
        self.pattern, self._root, self._states = pattern, root, states
        self._branches = [branch for schema in schemas for branch in at_member(schema, (), root)]
        self.form = _form(self._branches)
        self._declared = {name for branch in self._branches for name in branch.get("properties", {})}
        self._members: dict[str, Node] = {}
        self._item: Node | None = None
        self._indexed = names_items(states)
        # Where rules stand at the root of an entity; on a page, and its list, they begin again at each item.
        self._entity, self.is_next = entity, is_next
        self._obey(ended(states), known)

    def _obey(self, rules: list[Rule], known: tuple[Rule, ...]) -> None:
        by_kind: dict[str, list[Rule]] = {}
        for rule in rules:
            by_kind.setdefault(rule.kind, []).append(rule)
        first = {kind: found[0].name for kind, found in by_kind.items()}
        self.ignore, self.presence = first.get("ignore"), first.get("presence_only")
        self.null_is_absent = first.get("null_is_absent")
        said = {kind: [(each.name, each.said) for each in found] for kind, found in by_kind.items()}
        self.tolerance = [(name, each) for name, each in said.get("tolerance", ()) if isinstance(each, Tolerance)]
        self.unordered = [(name, each) for name, each in said.get("unordered", ()) if isinstance(each, Unordered)]
        self.enum_map = [(name, each) for name, each in said.get("enum_map", ()) if isinstance(each, EnumMap)]
        self.known = (*known, *by_kind.get("known", ()))

    def member(self, name: str) -> Node:
        """The place of a member."""
        return self._members.get(name) or self._keep(name, self._made(name))

    def item(self, index: int) -> Node:
        """The place of an item: the same for all, unless a rule tells them apart."""
        if self._indexed:
            name = str(index)
            return self._members.get(name) or self._keep(name, self._item_of(name))
        if self._item is None:
            self._item = self._item_of(None)
        return self._item

    def _keep(self, name: str, node: Node) -> Node:
        if len(self._members) < _MOST_MEMBERS:
            self._members[name] = node
        return node

    def _made(self, name: str) -> Node:
        schemas = [member for branch in self._branches
                   if isinstance(member := branch.get("properties", {}).get(name), Mapping)]  # fmt: skip
        shown = name.replace("~", "~0").replace("/", "~1")
        if self._branches and name not in self._declared:
            shown = "*"
            schemas = [
                more for branch in self._branches if isinstance(more := branch.get("additionalProperties"), Mapping)
            ]
        states, entity = step(self._states, name), self._entity if name == "items" else None
        is_next = self._entity is not None and name == "next"
        return Node(f"{self.pattern}/{shown}", schemas, self._root, states, self.known, entity=entity, is_next=is_next)

    def _item_of(self, name: str | None) -> Node:
        schemas = [items for branch in self._branches if isinstance(items := branch.get("items"), Mapping)]
        # A group's rules speak of its entity: of each one on a page, too.
        states = tuple(dict.fromkeys((*step(self._states, name), *(self._entity or ()))))
        return Node(f"{self.pattern}/*", schemas, self._root, states, self.known)

    def applies(self, kind: str) -> Sequence[Rule]:
        """What is known of differences of this kind here, or of all that stands above."""
        return [rule for rule in self.known if isinstance(rule.said, Known) and rule.said.kind in (None, kind)]


def _form(branches: Sequence[JsonSchema]) -> Form:
    for branch in branches:
        found = _FORMS.get(str(branch.get("format")))
        if found is not None:
            return found
        if branch.get("contentEncoding") == "base64":
            return "bytes"
    return "text" if any(key in branch for branch in branches for key in _TELLING) else "guess"
