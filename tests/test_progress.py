"""A progress bar shows where it should, and the environment silences the one of notebooks too."""

import pytest
from tqdm.notebook import tqdm as notebook_bar

from encoder_course import progress


@pytest.mark.parametrize(
    ("value", "show", "silent"),
    [
        ("1", True, True),
        ("1", False, True),
        ("0", True, False),
        ("", True, False),
        ("", False, True),
    ],
)
def test_environment_silences_every_bar(monkeypatch, value, show, silent):
    made = {}
    monkeypatch.setenv("TQDM_DISABLE", value)
    monkeypatch.setattr(progress, "tqdm", lambda iterable, **options: made.update(options))
    progress.track([1], show=show)
    assert made.get("disable", False) is silent


def test_bar_of_notebooks_stays_away(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setattr(progress, "tqdm", notebook_bar)
    bar = progress.track([1, 2])
    assert list(bar) == [1, 2] and not hasattr(bar, "container")
