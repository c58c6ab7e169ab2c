"""The loss curve of a run, while it runs and afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from encoder_course.pretrain.loop import History
from encoder_course.viz.figures import curves
from encoder_course.viz.palette import style
from encoder_course.viz.show import image

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def loss_curve(scores: Sequence[Mapping[str, float | int]], plateau: float | None = None) -> Figure:
    """Draw the held-out loss, in nats, against the training tokens, in millions.

    `scores` are those of a `History`; `plateau` is the loss of knowing only token frequencies.
    """
    tokens = [score["tokens"] / 1e6 for score in scores]
    lines = {"this run": (tokens, [score["loss"] for score in scores])}
    baselines = None if plateau is None else {"unigram plateau": plateau}
    return curves(
        lines,
        x_label="training tokens (millions)",
        y_label="held-out loss (nats)",
        baselines=baselines,
    )


class LiveCurve:
    """A loss curve that grows under its cell: give it to `pretrain` as `on_score`."""

    def __init__(self, plateau: float | None = None) -> None:
        self.plateau = plateau
        self.handle: Any = None

    def __call__(self, history: History) -> None:
        from IPython.display import HTML, display

        last = history.scores[-1]
        alt = (
            f"Held-out loss after {last['tokens'] / 1e6:.2f} million tokens: {last['loss']:.2f}"
            f" nats, {last['accuracy']:.0%} of the masked tokens guessed first"
        )
        with style():
            drawn = HTML(image(loss_curve(history.scores, self.plateau), alt))
        if self.handle is None:
            self.handle = display(drawn, display_id=True)
        else:
            self.handle.update(drawn)
