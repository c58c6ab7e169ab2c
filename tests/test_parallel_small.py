"""The parallel sentences of notebook 01: complete, composed, distinct, and in the right script."""

import json
import unicodedata
from importlib.resources import files

DATA = json.loads((files("encoder_course.data") / "written/parallel_small.json").read_text("utf-8"))


def test_every_row_is_complete_composed_and_distinct():
    rows, languages = DATA["sentences"], DATA["languages"]
    assert len(rows) >= 12 and list(languages) == ["en", "pt", "hi"]
    for language in languages:
        texts = [row[language] for row in rows]
        assert len(set(texts)) == len(texts)
        assert all(
            unicodedata.is_normalized("NFC", text) and text == text.strip() for text in texts
        )
    assert {row["domain"] for row in rows} == {"documentation", "support", "contracts"}


def test_each_language_is_in_its_script():
    for row in DATA["sentences"]:
        letters = [character for character in row["hi"] if unicodedata.category(character) == "Lo"]
        assert letters and all("\u0900" <= letter <= "\u097f" for letter in letters)
        latin = [c for c in row["en"] + row["pt"] if c.isalpha()]
        assert all(unicodedata.name(c).startswith("LATIN") for c in latin)


def test_where_it_comes_from_is_said():
    assert "Written for this course" in DATA["provenance"] and DATA["licence"]
