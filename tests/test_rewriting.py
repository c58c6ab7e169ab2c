"""The two tasks of notebook 13: what their rules promise."""

import re
from collections import Counter

import pytest

from encoder_course.data import rewriting
from encoder_course.data.rewriting import blanks, pieces, rewritings


def test_a_blank_has_one_clue_that_decides_it_at_the_stated_place():
    made = blanks(2000, seed=0)
    assert made == blanks(2000, seed=0) != blanks(2000, seed=1)
    for blank in made:
        shops = [shop for shop in rewriting.SHOPS if f"at the {shop} 's" in blank.text]
        assert [rewriting.SHOPS[shop] for shop in shops] == [blank.answer]
        assert blank.text.count(rewriting.BLANK) == 1 and blank.answer not in blank.text
        before = blank.text.index(shops[0]) < blank.text.index(rewriting.BLANK)
        assert before == (blank.clue < 0) and 1 <= abs(blank.clue) <= 5
    left = sum(blank.clue < 0 for blank in made) / len(made)
    assert 0.45 < left < 0.55
    assert max(Counter(blank.answer for blank in made).values()) / len(made) < 0.12


@pytest.mark.parametrize("name", [*rewriting.FORMATS, *rewriting.HELD_OUT])
def test_the_name_of_a_format_is_written_in_it(name):
    date = re.fullmatch(r"\D*(\d+)\D+.*", name) and ("2031" in name)
    formats = rewriting.DATE_FORMATS | rewriting.HELD_OUT_DATES
    if date:
        assert formats[name](2031, 3, 12) == name
    else:
        formats = rewriting.AMOUNT_FORMATS | rewriting.HELD_OUT_AMOUNTS
        assert formats[name]("EUR", 1250, 0) == name


def test_the_iso_form_says_what_is_written():
    for made in rewritings(500, 0, [*rewriting.FORMATS, *rewriting.HELD_OUT]):
        digits = re.findall(r"\d+", made.text)
        if made.iso[0].isdigit():
            year, month, day = made.iso.split("-")
            assert year in digits and str(int(day)) in {str(int(d)) for d in digits}
            name = rewriting.MONTHS[int(month) - 1]
            assert name[:3] in made.text or month in digits
        else:
            code, number = made.iso.split(" ")
            whole, cents = number.split(".")
            symbols = (code, *rewriting.CURRENCIES[code])
            assert any(symbol in made.text for symbol in symbols)
            assert whole in "".join(re.findall(r"[\d.,]+", made.text)).replace(",", "").replace(
                ".", ""
            )
            assert ("00" in made.format) or cents == "00"


def test_no_held_out_format_is_in_the_training_text_and_others_are_refused():
    assert not set(rewriting.FORMATS) & set(rewriting.HELD_OUT)
    assert {made.format for made in rewritings(500, 0)} == set(rewriting.FORMATS)
    with pytest.raises(ValueError, match="no format"):
        rewritings(1, 0, ["12 March", "12 March 2031"])


def test_pieces_keep_words_and_cut_numbers():
    assert pieces("The 12th, €1,250") == ["the", "1", "2", "th", ",", "€", "1", ",", "2", "5", "0"]
    assert "".join(pieces("2031-03-12")) == "2031-03-12"
