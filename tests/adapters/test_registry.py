"""A plug-in that can't be loaded is told in a sentence, whatever is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from adapters import registry

Plug = Callable[[str, str], None]


@pytest.fixture
def plug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plug]:
    """Installs one plug-in: a module's text, and what the entry point names in it."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(text: str, attribute: str) -> None:
        module = f"plugged_{abs(hash((text, attribute)))}"
        (tmp_path / f"{module}.py").write_text(text)
        point = EntryPoint("plugged", f"{module}:{attribute}", registry.GROUP)
        monkeypatch.setattr(registry, "_entry_points", lambda: {"plugged": point})

    registry.kind.cache_clear()
    yield install
    registry.kind.cache_clear()


@pytest.mark.parametrize(
    ("text", "attribute", "says"),
    [
        ("", "KIND", "has no attribute 'KIND'"),
        ("KIND = 7", "KIND", "is not an adapters.contract.Kind"),
        ("KIND = 7", "KIND.inner", "'inner'"),
        ("import no_such_package_at_all", "KIND", "install the package that provides it"),
        ("raise ValueError('no licence\\nfile')", "KIND", "ValueError: no licence file"),
        ("raise OSError()", "KIND", "OSError"),
        ("def broken(:", "KIND", "SyntaxError"),
        ("1 / 0", "KIND", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_plug_in_that_cant_be_loaded_is_told_in_a_sentence(plug: Plug, text: str, attribute: str, says: str) -> None:
    plug(text, attribute)
    with pytest.raises(registry.UnknownKind) as raised:
        registry.kind("plugged")
    assert "plugged" in str(raised.value)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_kind_that_isnt_installed_is_told_with_those_that_are() -> None:
    with pytest.raises(registry.UnknownKind, match="no adapter of kind 'saop' is installed; there are files, http"):
        registry.kind("saop")
