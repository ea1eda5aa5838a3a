"""What the browser gets of a component: one module that needs no other."""

from __future__ import annotations

import re

import pytest

from fitting_room.ui.components import _FOLDER, _script, _styles

SCRIPTS = sorted(path.name for path in _FOLDER.glob("*.js"))
# A style sheet is a component's, or of a part of one, which is called after it.
COMPONENTS = sorted(path.stem + ".js" for path in _FOLDER.glob("*.css") if "_" not in path.stem)


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_script_holds_what_it_imports(name: str) -> None:
    script = _script(name)
    assert re.findall(r"^\s*import\b.*", script, re.MULTILINE) == []
    assert re.findall(r"^export \w+", script, re.MULTILINE) == ["export default"]


def test_every_script_is_a_component_or_imported_by_one() -> None:
    imported = {
        name
        for script in SCRIPTS
        for name in re.findall(r'from "\./(\w+\.js)"', (_FOLDER / script).read_text("utf-8"))
    }
    assert sorted(imported | set(COMPONENTS)) == SCRIPTS


def test_what_is_imported_stands_before_it_is_used() -> None:
    script = _script("map.js")
    assert script.index("class Points") < script.index("new Points(")
    assert script.count("class Points") == 1


def test_what_two_scripts_import_stands_there_once() -> None:
    assert _script("gallery.js").count("function element(") == 1


def test_the_style_sheet_of_a_part_comes_with_its_component() -> None:
    assert ".fr-card" in _styles("gallery")
    assert ".fr-panel" in _styles("gallery")
    assert ".fr-panel" not in _styles("map")
