"""Help texts come under public names, once each, for what a made-up package offers."""

import sys

import pytest

from encoder_course.data.help_texts import first_paragraph, help_texts

FILES = {
    "__init__.py": """
        from ._scales import Scale, weigh, weigh as measure
        from os.path import join

        __all__ = ["_hidden", "lost", "measure", "weigh", "Scale"]

        def _hidden():
            "Nobody should read this text."

        def undeclared():
            "This one is missing in the list of public names."
    """,
    "_scales.py": """
        class Thing:
            def name(self):
                "Say what the thing is called."

        class Scale(Thing):
            "A scale that weighs things."

            def tare(self):
                "Bring the scale to zero."

            def zero(self):
                "Bring the scale to zero."

            @property
            def unit(self):
                "The unit of the weights."

            @classmethod
            def from_file(cls, path):
                "See Scale."

            limit = 3

            def _reset(self):
                "Nobody should read this text."

        def weigh(things, unit="g"):
            \"\"\"weigh(things, unit="g") -> float

            Weigh ``things`` one after another,
            the first one first.

            The scale is tared before.

            Parameters
            ----------
            things : list
            \"\"\"
    """,
    "tools.py": """
        from ._scales import weigh
        from textwrap import dedent

        def polish(thing):
            "Make the thing shine."
    """,
}
PLACES = {"scales_of_old": ["scales_of_old", "scales_of_old.Scale", "scales_of_old.tools"]}


@pytest.fixture
def package(tmp_path, monkeypatch):
    import textwrap

    folder = tmp_path / "scales_of_old"
    folder.mkdir()
    for name, source in FILES.items():
        (folder / name).write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.startswith("scales_of_old")]:
        del sys.modules[name]


def test_public_names_and_first_paragraphs(package):
    found = help_texts(PLACES)
    assert {document.name.removeprefix("scales_of_old."): document.text for document in found} == {
        "Scale": "A scale that weighs things.",
        "weigh": "Weigh things one after another, the first one first.",
        "Scale.tare": "Bring the scale to zero.",
        "Scale.unit": "The unit of the weights.",
        "Scale.name": "Say what the thing is called.",
        "tools.polish": "Make the thing shine.",
    }
    assert [document.kind for document in found[:2]] == ["class", "function"]
    assert {document.package for document in found} == {"scales_of_old"}


def test_places_that_are_not_there_are_left_out(package):
    places = {"scales_of_old": ["scales_of_old.lost", "scales_of_old.Lost"], "no_such": ["no_such"]}
    assert help_texts(places) == []


def test_compiled_objects_have_their_texts(monkeypatch):
    monkeypatch.setattr("builtins.display", first_paragraph, raising=False)  # as IPython does
    found = {d.name: d.text for d in help_texts({"python": ["builtins", "math", "builtins.str"]})}
    assert found["len"] == "Return the number of items in a container."
    assert found["math.sqrt"] == "Return the square root of x."
    assert found["str.upper"] == "Return a copy of the string converted to uppercase."
    assert "open" in found and not {"builtins.len", "display"} & set(found)


@pytest.mark.parametrize(
    ("docstring", "text"),
    [
        ("", ""),
        ("f(x)", ""),
        ("f(x) -> y\n\nReturn twice\nthe number.\n\nMore.", "Return twice the number."),
        ("Parameters\n----------\nx : int\n    How many.", ""),
    ],
)
def test_first_paragraph(docstring, text):
    assert first_paragraph(docstring) == text
