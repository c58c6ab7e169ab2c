"""What notebook 00 shows: a box to ask in, and how a question's scores are spread."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from encoder_course.viz.palette import GREY, OKABE_ITO, style
from encoder_course.viz.show import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class AskBox:
    """A box to type a question in, with its answer below it; the Enter key asks.

    `answer` turns a question into HTML; `name` is what the typed text is called. Where no Python
    runs behind the page, as in a saved notebook, the answer to `question` stands there with a note
    instead.
    """

    def __init__(self, answer: Callable[[str], str], question: str, name: str = "Question") -> None:
        import ipywidgets

        self.answer = answer
        self.name = name
        self.question = ipywidgets.Text(
            question,
            description=name,
            continuous_update=False,  # ask at Enter, not at each letter
            layout=ipywidgets.Layout(width="95%"),
        )
        self.shown = ipywidgets.HTML(answer(question))
        self.panel = ipywidgets.VBox([self.question, self.shown])
        self.question.observe(self.renew, names="value")
        self.saved = (
            f'<p style="color:#111;background:#fff;margin:0;padding:.5em">'
            f"<strong>{name}:</strong> {html.escape(question)}<br>"
            f"<em>Run this cell, and a box to type in stands here.</em></p>{self.shown.value}"
        )

    def renew(self, change: Mapping[str, Any]) -> None:
        """Answer what has just been typed."""
        asked = change["new"].strip()
        self.shown.value = (
            self.answer(asked) if asked else f"Type a {self.name.lower()}, then press Enter."
        )

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """The live box, and beside it the page that stays when the notebook is saved."""
        live = self.panel._repr_mimebundle_(**options)
        return {
            **live,
            "text/html": self.saved,
            "text/plain": f"A box to type a {self.name.lower()} in.",
        }


@style()
def score_spread(scores: Mapping[str, Any], limits: tuple[float, float] = (-0.5, 1.0)) -> Figure:
    """Draw, for each question, how many documents have which score; the best one is marked.

    scores: `{question: scores of all documents (B,)}`; the panels share their axes.
    Raises ValueError where a score lies outside of `limits`.
    """
    fig, panels = new_figure(7, 1.7 * len(scores) + 0.5, rows=len(scores), sharex=True, sharey=True)
    edges = np.linspace(*limits, 76)
    for axes, (question, values) in zip(np.atleast_1d(panels), scores.items(), strict=True):
        values = np.asarray(values, dtype=float)
        if values.min() < limits[0] or values.max() > limits[1]:
            raise ValueError(
                f"scores run from {values.min():.2f} to {values.max():.2f}, outside limits {limits}"
            )
        axes.hist(values, edges, color=GREY)
        axes.set_yscale("log")
        best = float(values.max())
        axes.axvline(best, color=OKABE_ITO["vermillion"], lw=2)
        axes.annotate(
            f"best: {best:.2f}",
            (best, 0.9),
            xycoords=("data", "axes fraction"),
            xytext=(6, 0),
            textcoords="offset points",
            va="top",
            weight="bold",
        )
        axes.set(title=f"“{question}”", ylabel="documents", xlim=limits)
    axes.set_xlabel("score (cosine with the question)")
    return fig
