"""The glossary: its rows are whole, its links lead somewhere, and head cells use no other terms."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
PAGES = sorted([*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "labs").glob("*/*.ipynb")])
LINK = re.compile(r"\[[^\]]+\]\(([^)]+)\)")

# The words of head cells that are everyday English, in the form that `singular` gives.
PLAIN = set(
    """
able about above achieve add after again against agreement all allow allowed alone also
always among and another answer answered any apart appear are arm around ask asked audio
away back bad bank bargain base batche batched beat because become been before begin
believed believing belong below beside best better between beyond blank both break bring
bug build but call can cannot case catche caught cell certain certainty chance change
cheap check choice choose chose chosen cited class classe classify close code colleague
combination combine come company compare compared comparison complaint compute computed
computer confusion contract contradict copy core correct cost counting course cure cut
cutting date day decide defend demo depend derive desk destroying dictionary differ
different differently digit divided document doe down draw duplicate each eight else
elsewhere embed encoded end english enough entrance environment equal error every
everything everywhere exact exactly example exercise explain falling false far faster
fault few fill find finished first fit fix flatter flow follow for forge forger found
four free from front full function game give given goe good graded great group grouping
guess half hand handwritten hang happen has have hear heart help here hide high hold
honest honestly hour how however human hurt ids image implement implementation import
improve input inside install installed instead into its itself judge keep kept kind know
known lab laid large last later law lead leak learn learner learnt leave left length
less lesson let letter library lie line list listen little load long longer look looking
loop lose losing losse low luck made main make many map mark mate matter may meaning
meant measure measured measurement memory message method microscope middle million mine
minute misse mistake mixing month more most move much museum must name named near
nearest need needed network never new next nine no nobody not notebook nothing notice
now number often old once one only open optional order original other our out output
over overlap overlapping own package page paid part passe patch people per pick picture
place plain plan pleasant point possible predict prepare prerequisite price program
project prove public published put python quality question quick raise random rather
reach reache read reader reading ready real really recognise refusal refuse remark
remove repair repaired report rest result rewrite right river round row rule run safe
same saw say scikit searche second section see seed seen seldom sequence service several
share shared short shorten should show shown side sign silence silent simple since
single six sixteen size skill slow slower small smallest some somebody something sort
sound source space speaker split spoil spring squeeze stand standing start stay step
still stop story street string such support sure table take talk teach tell ten test
text than that the their them then there these they thi thing those thread three through
throw time together too tool trace trained true trust trusted try trying turn turned
tutorial twice two type unchanged under understand understood unequal unknown until
upside use useful usual usually version view voice wait walked want wanted was watch way
well were what whatever when where whether which who whole whose why wide will wise with
without wording words work worth would write writer writing written wrong wrote yet you
your yourself
""".split()
)


def tables(text: str) -> list[list[list[str]]]:
    """The rows of each table of `text`, without its two head lines."""
    found = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    return [
        [
            [cell.strip() for cell in line.strip()[1:-1].split("|")]
            for line in table.splitlines()[2:]
        ]
        for table in found
    ]


TABLES = tables(GLOSSARY.read_text(encoding="utf-8"))
ROWS = [row for table in TABLES for row in table]


def singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def words(text: str) -> set[str]:
    return {singular(word) for word in re.findall("[a-z]+", text.lower()) if len(word) > 2}


def head(page: Path) -> str:
    """The text of the first cell of `page`, without code and formulas."""
    cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
    text = next("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return re.sub(r"`[^`]*`|\$[^$]*\$", " ", text)


def missing(text: str) -> list[str]:
    """The words of `text` that are neither plain nor part of a term of the glossary."""
    return sorted(words(text) - PLAIN - {w for row in ROWS for w in words(row[0])})


def flat(text: str) -> str:
    return re.sub(r"[\s\-]+", " ", text.lower())


def content(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return flat(text + "\n" + re.sub("([a-z])([A-Z])", r"\1 \2", text))  # ClassNames as words too


def test_rows_are_whole():
    assert len(ROWS) >= 80
    for row in ROWS:
        assert len(row) == 5 and all(row), row
        assert re.search("[\u0900-\u097f]", row[2]), f"no Devanagari: {row}"
        assert LINK.fullmatch(row[4]), f"the last cell is not one link: {row}"


def test_terms_stand_once_and_in_order():
    terms = [row[0].lower() for row in ROWS]
    assert sorted(set(terms)) == sorted(terms)
    for table in TABLES:
        column = [row[0].lower() for row in table]
        assert column == sorted(column)


def test_links_lead_to_files():
    for target in LINK.findall(GLOSSARY.read_text(encoding="utf-8")):
        assert (GLOSSARY.parent / target).is_file(), target


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_term_occurs_where_its_row_points(row):
    target = LINK.search(row[4]).group(1)
    term = rf"(?<![a-z]){re.escape(flat(row[0]))}(s|d|r|ed|er|ing|ly)?(?![a-z])"
    assert re.search(term, content(GLOSSARY.parent / target)), f"{row[0]} is not in {target}"


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_words_of_head_cells_are_known(page):
    unknown = missing(head(page))
    assert not unknown, (
        f"{page.name}: its head cell uses {', '.join(unknown)}. Give each technical term a row in"
        " docs/glossary.md, and add each everyday word to PLAIN in tests/test_glossary.py."
    )


def test_an_unknown_term_is_noticed():
    assert missing("We train the encoder with a hypernetwork.") == ["hypernetwork"]


def test_no_term_is_called_plain():
    single_words = {singular(row[0].lower()) for row in ROWS if row[0].isalpha()}
    assert not single_words & PLAIN
