"""Checks of notebook 15: patches, and pictures and texts in one space."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from encoder_course.check.base import Exercise, Misconception
from encoder_course.nn.clip import matching_loss as _both_ways
from encoder_course.nn.vision import patches as _patches


def _draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def _cut(images: Tensor, side: int) -> Tensor:
    return images.unfold(2, side, side).unfold(3, side, side)  # (B, c, rows, columns, side, side)


def _strips(images: Tensor, side: int) -> Tensor:
    return images.permute(0, 2, 3, 1).reshape(len(images), -1, side * side * images.shape[1])


def _sliding(images: Tensor, side: int) -> Tensor:
    cut = images.unfold(2, side, 1).unfold(3, side, 1)
    return cut.permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)


cut = Exercise(
    number="15.1",
    title="pictures into patches",
    difficulty=3,
    minutes=15,
    reference=_patches,
    cases=lambda: {
        "a picture of 4 x 4 pixels, 0 to 15, patches of 2": (
            torch.arange(16.0).view(1, 1, 4, 4),
            2,
        ),
        "a picture of 4 x 6 pixels in three colours, patches of 2": (
            torch.arange(72.0).view(1, 3, 4, 6),
            2,
        ),
        "2 pictures of 6 x 9, patches of 3": (_draw(2, 2, 6, 9), 3),
    },
    misconceptions=(
        Misconception(
            "columns inside",
            "inside a patch the pixels run down its columns: every patch is mirrored at its"
            " diagonal, and no weights of a convolution would fit",
            lambda images, side: (
                _cut(images, side).permute(0, 2, 3, 5, 4, 1).flatten(3).flatten(1, 2)
            ),
        ),
        Misconception(
            "columns of patches",
            "the patches themselves come column by column: a position would mean another place",
            lambda images, side: (
                _cut(images, side).permute(0, 3, 2, 4, 5, 1).flatten(3).flatten(1, 2)
            ),
        ),
        Misconception(
            "channels first",
            "inside a patch all numbers of one colour stand together: the colours of one pixel"
            " should",
            lambda images, side: (
                _cut(images, side).permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
            ),
        ),
        Misconception(
            "strips",
            "these are pieces of the long list of pixels, not squares: a piece goes along one row,"
            " and on into the next",
            _strips,
        ),
        Misconception(
            "overlapping",
            "the patches overlap: the window moves by one pixel, and must move by its own width",
            _sliding,
        ),
        Misconception(
            "grid kept",
            "the rows and columns of the grid are still two axes; an encoder wants one sequence",
            lambda images, side: _cut(images, side).permute(0, 2, 3, 4, 5, 1).flatten(3),
        ),
        Misconception(
            "one patch each",
            "all pictures of the batch have come into one sequence",
            lambda images, side: _patches(images, side).flatten(0, 1),
        ),
    ),
    spoilers=("unfold", "permute", "reshape(", "rearrange"),
)


count = Exercise(
    number="15.2",
    title="how many tokens",
    difficulty=1,
    minutes=4,
    reference=197,
    misconceptions=(
        Misconception("no class token", "one token is there that no patch has given", 196),
        Misconception("one side", "there are as many rows of patches as columns", 15),
        Misconception("one row", "there are as many rows of patches as columns, and one more", 14),
        Misconception("pixels", "a token stands for a patch, not for a pixel", 224 * 224),
        Misconception("pixels and one", "a token stands for a patch, not for a pixel", 50177),
        Misconception(
            "colours", "the three colours of a patch are in one token, not in three", 3 * 196 + 1
        ),
        Misconception("width of a patch", "that is how many numbers one patch has", 768),
        Misconception("overlapping", "the patches do not overlap", 209 * 209 + 1),
    ),
)


def _logits(images: Tensor, texts: Tensor, temperature: float) -> Tensor:
    return F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T / temperature


compare = Exercise(
    number="15.3",
    title="every picture with every text",
    difficulty=2,
    minutes=10,
    reference=_logits,
    cases=lambda: {
        "2 pictures and 3 texts in a plane": (
            torch.tensor([[3.0, 4.0], [0.0, 2.0]]),
            torch.tensor([[1.0, 0.0], [0.6, 0.8], [-2.0, 0.0]]),
            0.5,
        ),
        "4 pictures and 5 texts": (_draw(4, 6), _draw(5, 6), 0.07),
    },
    misconceptions=(
        Misconception(
            "not normalised",
            "a long vector goes with everything: only the direction should count",
            lambda images, texts, temperature: images @ texts.T / temperature,
        ),
        Misconception(
            "pictures only",
            "the texts still have their lengths, and a long one goes with every picture",
            lambda images, texts, temperature: F.normalize(images, dim=-1) @ texts.T / temperature,
        ),
        Misconception(
            "texts only",
            "the pictures still have their lengths, so some are surer than others of everything",
            lambda images, texts, temperature: images @ F.normalize(texts, dim=-1).T / temperature,
        ),
        Misconception(
            "multiplied",
            "a low temperature makes the logits smaller, and the choice less sure: it should be"
            " the other way round",
            lambda images, texts, temperature: _logits(images, texts, 1.0) * temperature,
        ),
        Misconception(
            "no temperature",
            "these are the cosines, whatever the temperature",
            lambda images, texts, temperature: _logits(images, texts, 1.0),
        ),
        Misconception(
            "logarithm taken",
            "the logits grow by e to the temperature: it is given as it is, not as a logarithm",
            lambda images, texts, temperature: (
                _logits(images, texts, 1.0) * torch.tensor(temperature).exp()
            ),
        ),
        Misconception(
            "transposed",
            "rows are texts here: the rows should be pictures",
            lambda images, texts, temperature: _logits(texts, images, temperature),
        ),
        Misconception(
            "over the batch",
            "the lengths are taken down the columns, over all vectors, not over each vector",
            lambda images, texts, temperature: (
                F.normalize(images, dim=0) @ F.normalize(texts, dim=0).T / temperature
            ),
        ),
    ),
    spoilers=("normalize", "norm(", "/ temperature"),
)


def _right(logits: Tensor) -> Tensor:
    return torch.arange(len(logits))


def _bce(logits: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.eye(len(logits)))


loss = Exercise(
    number="15.4",
    title="find the partner, both ways",
    difficulty=3,
    minutes=10,
    reference=_both_ways,
    cases=lambda: {
        "2 pairs": (torch.tensor([[2.0, 0.0], [1.0, 3.0]]),),
        "5 pairs": (3 * _draw(5, 5),),
    },
    misconceptions=(
        Misconception(
            "pictures only",
            "only the pictures look for their texts: a text that suits every picture costs nothing"
            " extra",
            lambda logits: F.cross_entropy(logits, _right(logits)),
        ),
        Misconception(
            "texts only",
            "only the texts look for their pictures",
            lambda logits: F.cross_entropy(logits.T, _right(logits)),
        ),
        Misconception(
            "sum of both",
            "it is twice too large: two directions are added, and nothing is averaged",
            lambda logits: 2 * _both_ways(logits),
        ),
        Misconception(
            "sum over pairs",
            "it grows with the batch: a mean over the pairs is asked for",
            lambda logits: len(logits) * _both_ways(logits),
        ),
        Misconception(
            "the diagonal alone",
            "partners are drawn together and nothing is pushed apart: all vectors may fall on one"
            " point",
            lambda logits: -logits.diagonal().mean(),
        ),
        Misconception(
            "each pair by itself",
            "every cell is judged alone, as in SigLIP: here the cells of a row compete",
            _bce,
        ),
        Misconception(
            "upside down",
            "it is negative: this pushes partners apart",
            lambda logits: -_both_ways(logits),
        ),
        Misconception(
            "logits as probabilities",
            "the softmax is applied twice: cross-entropy wants the logits as they are",
            lambda logits: (
                (
                    F.cross_entropy(logits.softmax(1), _right(logits))
                    + F.cross_entropy(logits.T.softmax(1), _right(logits))
                )
                / 2
            ),
        ),
        Misconception(
            "one softmax over all",
            "all pairs compete for one answer: a picture need not suit its text better than"
            " another picture suits its own",
            lambda logits: -logits.flatten().log_softmax(0).view_as(logits).diagonal().mean(),
        ),
    ),
    spoilers=("cross_entropy(logits.T", "logits.T", ") / 2"),
)


def _leaked(train: Tensor, test: Tensor) -> Tensor:
    same = (test.flatten(1)[:, None] == train.flatten(1)[None]).all(-1)  # (test, train)
    return same.any(1)


def _at_the_same_place(train: Tensor, test: Tensor) -> Tensor:
    found = [torch.equal(*both) for both in zip(train, test, strict=False)]
    return torch.tensor(found + [False] * (len(test) - len(found)))


def _pictures() -> tuple[Tensor, Tensor]:
    train = (_draw(6, 1, 2, 3) > 0).float()
    train[1, 0] = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    test = torch.stack([train[1], 1 - train[1], train[1].flip(-1), train[4]])
    test[3, 0, 0, 0] += 0.5  # nearly that of the training set
    return train, test


leaked = Exercise(
    number="15.5",
    title="pictures of the training set in the test",
    difficulty=3,
    minutes=10,
    reference=_leaked,
    cases=lambda: {
        "4 test pictures, of which the first was trained on": _pictures(),
        "3 of 3, in another order": (_draw(3, 1, 2, 2), _draw(3, 1, 2, 2).flip(0)),
    },
    misconceptions=(
        Misconception(
            "same place",
            "pictures are compared with those at the same place only: a copy elsewhere is missed",
            _at_the_same_place,
        ),
        Misconception(
            "one pixel is enough",
            "a picture counts as a copy as soon as one pixel agrees",
            lambda train, test: (test.flatten(1)[:, None] == train.flatten(1)[None]).any(-1).any(1),
        ),
        Misconception(
            "same ink",
            "pictures with equally much ink count as copies: a mirrored one is another picture",
            lambda train, test: (
                (test.flatten(1).sum(1)[:, None] - train.flatten(1).sum(1)[None]).abs() < 1e-6
            ).any(1),
        ),
        Misconception(
            "the other way round",
            "there is one answer for each training picture: the test pictures are asked about",
            lambda train, test: _leaked(test, train),
        ),
        Misconception(
            "counted",
            "this says how many, and not which",
            lambda train, test: _leaked(train, test).sum(),
        ),
        Misconception(
            "clean ones",
            "this marks the pictures that were not trained on",
            lambda train, test: ~_leaked(train, test),
        ),
        Misconception(
            "all or none",
            "this gives one answer for the whole test set",
            lambda train, test: _leaked(train, test).any(),
        ),
    ),
    spoilers=(".all(", "[:, None]", "torch.equal", "cdist"),
)
