"""Figures of the course: draw with these, then `show(fig, alt="what it shows")`."""

from encoder_course.viz.figures import bars, curves, heatmap, scatter_words
from encoder_course.viz.palette import class_colours, style, text_on
from encoder_course.viz.show import html_table, image, new_figure, show, show_html

__all__ = [
    "bars",
    "class_colours",
    "curves",
    "heatmap",
    "html_table",
    "image",
    "new_figure",
    "scatter_words",
    "show",
    "show_html",
    "style",
    "text_on",
]
