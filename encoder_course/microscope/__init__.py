"""A microscope for encoders: where one first differs from BERT, and which wrong idea explains it.

`examine(StudentEncoder)` builds the learner's encoder with the tiny `CONFIG`, gives it the weights
of a recorded run of Hugging Face's BERT, and compares tensor by tensor.
"""

from encoder_course.microscope.ideas import IDEAS, Idea
from encoder_course.microscope.reference import Block, Encoder, FeedForward, Rules
from encoder_course.microscope.report import Report, compare, examine
from encoder_course.microscope.trace import CONFIG, STAGES, lab_names, randomise

__all__ = [
    "CONFIG",
    "IDEAS",
    "STAGES",
    "Block",
    "Encoder",
    "FeedForward",
    "Idea",
    "Report",
    "Rules",
    "compare",
    "examine",
    "lab_names",
    "randomise",
]
