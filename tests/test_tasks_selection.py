"""Choosing on training texts: nobody answers what it has seen, and a cut encoder is the encoder."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from encoder_course.config import EncoderConfig
from encoder_course.nn import Encoder
from encoder_course.tasks.baselines import MajorityClassifier, WordClassifier
from encoder_course.tasks.selection import cut_after, out_of_fold
from encoder_course.tasks.training import seeded


@dataclass(frozen=True)
class Example:
    text: str
    label: str


EXAMPLES = [Example(f"{word} {i}", label) for i in range(6) for word, label in ("ay", "bn")]


class Remembering(MajorityClassifier):
    """Keeps what each fit has seen, and answers by whether it knows the text."""

    def learn(self, examples, *rest) -> None:
        super().learn(examples, *rest)
        self.seen = {example.text for example in examples}
        self.sizes = [*getattr(self, "sizes", []), len(examples)]

    def predict(self, texts):
        return ["known" if text in self.seen else "new" for text in texts]


@pytest.mark.parametrize("folds", [2, 5, 12])
def test_nobody_answers_what_it_has_seen(folds):
    classifier = Remembering()
    assert out_of_fold(classifier, EXAMPLES, folds=folds).tolist() == ["new"] * 12
    assert sum(classifier.sizes) == 12 * (folds - 1) and len(classifier.sizes) == folds


def test_answers_stand_in_the_order_of_the_examples():
    telling = [Example(f"{x.label * 3} it is", x.label) for x in EXAMPLES]
    answers = out_of_fold(WordClassifier(strength=100), telling, folds=3, seed=2)
    assert answers.tolist() == [x.label for x in telling]


def test_folds_keep_the_shares_of_the_classes():
    few = [Example(f"text {i}", "rare" if i < 4 else "common") for i in range(16)]

    class Counting(MajorityClassifier):
        def predict(self, texts):
            counts.append(np.round(self.shares.tolist(), 2).tolist())
            return super().predict(texts)

    counts = []
    out_of_fold(Counting(), few, folds=4)
    assert counts == [[0.75, 0.25]] * 4


@pytest.mark.parametrize("folds", [1, 13])
def test_folds_out_of_range_are_refused(folds):
    with pytest.raises(ValueError, match=f"from 2 to 12 .* but is {folds}"):
        out_of_fold(MajorityClassifier(), EXAMPLES, folds=folds)


@pytest.fixture(scope="module")
def encoder():
    with seeded(1):
        return Encoder(EncoderConfig.tiny(vocab_size=50)).eval()


def test_a_cut_encoder_gives_the_hidden_states_of_its_layer(encoder):
    ids = torch.arange(3, 11).reshape(2, 4)
    hidden = encoder.start(ids, None, None)
    for number, block in enumerate(encoder.blocks):
        hidden = block(hidden, encoder.sight(number, 4, None))
        cut = cut_after(encoder, number + 1)
        assert cut.config.layers == len(cut.blocks) == number + 1 and not cut.training
        torch.testing.assert_close(cut(ids), encoder.final_norm(hidden))
    torch.testing.assert_close(cut(ids), encoder(ids))
    assert number > 0


def test_a_cut_encoder_shares_its_weights(encoder):
    cut = cut_after(encoder, 1)
    assert cut.embed.token.weight.data_ptr() == encoder.embed.token.weight.data_ptr()
    assert not any(p.requires_grad for p in cut.parameters())
    assert all(p.requires_grad for p in encoder.parameters())


@pytest.mark.parametrize("layers", [0, 99])
def test_a_cut_that_is_not_there_is_refused(encoder, layers):
    with pytest.raises(ValueError, match=f"but is {layers}"):
        cut_after(encoder, layers)
