"""The wrong ideas that the microscope knows: each one a way to write an encoder that runs."""

from __future__ import annotations

from dataclasses import dataclass

from encoder_course.config import EncoderConfig
from encoder_course.microscope.reference import Encoder, Rules


@dataclass(frozen=True)
class Idea:
    """A wrong idea: its name, what to tell its holder, and the rules that follow from it."""

    name: str
    message: str
    rules: Rules

    def build(self, config: EncoderConfig) -> Encoder:
        """An encoder by this idea, under the names of lab 04."""
        return Encoder(config, self.rules)


IDEAS = (
    Idea(
        "mask inverted",
        "the tokens look at the padding and not at the words: the mask has the opposite polarity",
        Rules(mask="inverted"),
    ),
    Idea(
        "mask forgotten",
        "the tokens look at the padding as well: the mask does not reach the scores",
        Rules(mask="none"),
    ),
    Idea(
        "query and key exchanged",
        "each score is the one of the opposite direction: queries and keys have changed places",
        Rules(exchanged=True),
    ),
    Idea(
        "scale missing",
        "the scores are too large and the weights too sharp: nothing divides the dot products",
        Rules(scale="none"),
    ),
    Idea(
        "scale of the whole width",
        "the scores are too small: a dot product runs over the K numbers of one head, and not over"
        " the D numbers of a token",
        Rules(scale="root of D"),
    ),
    Idea(
        "scale without the root",
        "the scores are too small: they are divided by their variance, not by their spread",
        Rules(scale="K"),
    ),
    Idea(
        "heads cut without transpose",
        "a head mixes numbers of several tokens: (B, T, D) was reshaped to (B, H, T, K) at once,"
        " which only regroups the numbers as they lie in memory",
        Rules(split="reshape"),
    ),
    Idea(
        "heads merged without transpose",
        "a token gets numbers that belong to other tokens: (B, H, T, K) was reshaped to (B, T, D)"
        " at once, which only regroups the numbers as they lie in memory",
        Rules(merge="reshape"),
    ),
    Idea(
        "heads cut and merged without transpose",
        "each head sees a few tokens of the row and believes that they are the whole row: both"
        " reshapes only regroup the numbers as they lie in memory",
        Rules(split="reshape", merge="reshape"),
    ),
    Idea(
        "pre-norm",
        "the norms stand before attention and feed-forward: the block of newer encoders, not of"
        " BERT",
        Rules(norm="pre"),
    ),
    Idea(
        "eps of 1e-5",
        "vectors with a small variance come out too short: this is the eps that nn.LayerNorm takes"
        " when it is not told, and BERT's is another",
        Rules(eps=1e-5),
    ),
    Idea(
        "GELU in its tanh form",
        "off by less than a thousandth wherever something is bent: this is the approximation of"
        " GELU, and BERT has the exact form",
        Rules(gelu="tanh"),
    ),
    Idea(
        "positions forgotten",
        "the position vectors are not in the sum, so the encoder reads a bag of words",
        Rules(positions=False),
    ),
    Idea(
        "kinds forgotten",
        "the vectors of the token kinds are not in the sum: BERT adds one to every token, also"
        " where all tokens are of kind 0",
        Rules(kinds=False),
    ),
    Idea(
        "one block for all layers",
        "every layer has the weights of the last one: the list holds one and the same block several"
        " times",
        Rules(shared=True),
    ),
)
