"""Checks of lab 07: which sense is meant."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from encoder_course.check.base import Exercise, Misconception
from encoder_course.tasks.metrics import bootstrap

_SHOWN = 0  # the seed of the cases that a student may see


def _generator(seed: int) -> Generator:
    return torch.Generator().manual_seed(700 + seed)


def _draw(*shape: int, generator: Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


# ---- lab07.1: from pieces to words

Words = Sequence[int | None]


def _pieces(words: Words) -> list[list[int]]:
    """The tokens of each word, in the order of the words."""
    known = [number for number in words if number is not None]
    return [[t for t, n in enumerate(words) if n == word] for word in range(max(known) + 1)]


def _words_with(pool: Callable[[Tensor], Tensor] = lambda rows: rows.mean(dim=0)) -> Callable:
    return lambda hidden, words: torch.stack([pool(hidden[at]) for at in _pieces(words)])


def _one_too_early(hidden: Tensor, words: Words) -> Tensor:
    return _words_with()(hidden, [number for number in words if number is not None])


def _special_as_first(hidden: Tensor, words: Words) -> Tensor:
    return _words_with()(hidden, [number or 0 for number in words])


def _special_as_word(hidden: Tensor, words: Words) -> Tensor:
    special = hidden[[t for t, number in enumerate(words) if number is None]].mean(dim=0)
    return torch.cat([special[None], _words_with()(hidden, words)])


def _word_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    draw, generator = random.Random(seed), _generator(seed)
    sizes = [draw.randint(2, 3), 1, draw.randint(2, 4), 1, draw.randint(3, 4)]
    words = [number for number, size in enumerate(sizes) for _ in range(size)]
    long = [None, *words, None, None, None]
    return {
        "[CLS] river ##bank floods [SEP]": (
            _draw(5, 3, generator=generator),
            [None, 0, 0, 1, None],
        ),
        f"5 words in {len(words)} pieces, and padding": (
            _draw(len(long), 4, generator=generator),
            long,
        ),
    }


word_means = Exercise(
    number="lab07.1",
    title="from pieces to words",
    difficulty=2,
    minutes=10,
    reference=_words_with(),
    cases=_word_cases,
    hidden=_word_cases,
    misconceptions=(
        Misconception(
            "first piece",
            "only the first piece of each word counts: the others have read the sentence, too",
            _words_with(lambda rows: rows[0]),
        ),
        Misconception(
            "last piece",
            "only the last piece of each word counts: the others have read the sentence, too",
            _words_with(lambda rows: rows[-1]),
        ),
        Misconception(
            "sum",
            "a word of three pieces has a vector three times as long: you add the pieces up",
            _words_with(lambda rows: rows.sum(dim=0)),
        ),
        Misconception(
            "largest",
            "you keep the largest value of each number: that is another pooling",
            _words_with(lambda rows: rows.amax(dim=0)),
        ),
        Misconception(
            "one too early",
            "each word gets vectors that stand one place too early: the first row of `hidden` is"
            " that of [CLS], and it is a row like any other when you count places",
            _one_too_early,
        ),
        Misconception(
            "special tokens in the first word",
            "[CLS], [SEP] and padding have become part of the first word: None is not 0",
            _special_as_first,
        ),
        Misconception(
            "special tokens as a word",
            "there is a row too many, and it stands first: the special tokens are no word",
            _special_as_word,
        ),
        Misconception(
            "pieces",
            "the special tokens are gone, but each piece still has a row of its own: one row for"
            " each *word* is asked for",
            lambda hidden, words: hidden[[t for t, n in enumerate(words) if n is not None]],
        ),
    ),
    spoilers=("mean(dim=0)", "index_add", "is not None"),
)


# ---- lab07.2: a use and its nearest company


def _cosines(vectors: Tensor) -> Tensor:
    unit = F.normalize(vectors, dim=-1)
    return unit @ unit.T


def _nearest_with(
    scores: Callable[[Tensor], Tensor] = _cosines,
    itself: bool = False,
    others: bool = False,
    turn: Callable[[Tensor], Tensor] = lambda places: places,
) -> Callable[[Tensor, Sequence[str], int], Tensor]:
    """The nearest uses, where a rule may not hold: `itself` and `others` are candidates, too."""

    def nearest(vectors: Tensor, words: Sequence[str], count: int) -> Tensor:
        names = np.array(words)
        table = scores(vectors)
        if not others:
            same = torch.from_numpy(names[:, None] == names)
            table = table.masked_fill(~same, -torch.inf)
        if not itself:
            table = table.masked_fill(torch.eye(len(table), dtype=torch.bool), -torch.inf)
        return turn(table.topk(count, dim=-1).indices)

    return nearest


def _among_its_word(vectors: Tensor, words: Sequence[str], count: int) -> Tensor:
    rows = []
    for i, word in enumerate(words):
        mine = [j for j, other in enumerate(words) if other == word]
        found = _cosines(vectors)[i, mine].clone()
        found[mine.index(i)] = -torch.inf
        rows.append(found.topk(count).indices)
    return torch.stack(rows)


def _farthest(vectors: Tensor, words: Sequence[str], count: int) -> Tensor:
    return _nearest_with(scores=lambda v: -_cosines(v))(vectors, words, count)


def _centred_cosines(vectors: Tensor) -> Tensor:
    return _cosines(vectors - vectors.mean(dim=-1, keepdim=True))


def _nearest_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    words = random.Random(seed).sample(["bank"] * 7 + ["spring"] * 5 + ["bat"] * 4, 16)
    lengths = 0.5 + 3 * torch.rand(16, 1, generator=generator, dtype=torch.float64)
    vectors = (_draw(16, 5, generator=generator) + 0.4) * lengths
    return {
        "six uses of two words, count 1": (
            _draw(6, 3, generator=generator),
            ["bat", "bank", "bank", "bat", "bank", "bat"],
            1,
        ),
        "16 uses of three words, count 3": (vectors, words, 3),
    }


nearest = Exercise(
    number="lab07.2",
    title="a use and its nearest company",
    difficulty=3,
    minutes=12,
    reference=_nearest_with(),
    cases=_nearest_cases,
    hidden=_nearest_cases,
    misconceptions=(
        Misconception(
            "itself",
            "the first neighbour of each use is the use itself: leave it out",
            _nearest_with(itself=True),
        ),
        Misconception(
            "first dropped",
            "you drop one neighbour after the choice, and so have one too few",
            lambda vectors, words, count: _nearest_with(itself=True)(vectors, words, count)[:, 1:],
        ),
        Misconception(
            "other words",
            "some neighbours are uses of *another* word: they were no candidates",
            _nearest_with(others=True),
        ),
        Misconception(
            "itself and other words",
            "the first neighbour of each use is the use itself, and others are of another word",
            _nearest_with(itself=True, others=True),
        ),
        Misconception(
            "long vectors win",
            "long vectors are everybody's neighbours: a cosine compares directions only",
            _nearest_with(scores=lambda vectors: vectors @ vectors.T),
        ),
        Misconception(
            "distance",
            "you took the smallest distance: a vector of the same direction may be far away",
            _nearest_with(scores=lambda vectors: -torch.cdist(vectors, vectors)),
        ),
        Misconception(
            "columns",
            "length 1 was given to each *number* over all uses, and not to each use: look at the"
            " axis",
            _nearest_with(
                scores=lambda vectors: F.normalize(vectors, dim=0) @ F.normalize(vectors, dim=0).T
            ),
        ),
        Misconception(
            "correlation",
            "you subtract from each vector the mean of its own numbers first: that is a"
            " correlation",
            _nearest_with(scores=_centred_cosines),
        ),
        Misconception(
            "farthest",
            "you found the uses that are *least* alike",
            _farthest,
        ),
        Misconception(
            "nearest last",
            "the right neighbours in the wrong order: the nearest comes first",
            _nearest_with(turn=lambda places: places.flip(-1)),
        ),
        Misconception(
            "places in the word",
            "you count places among the uses of one word: those in the whole list are asked for",
            _among_its_word,
        ),
    ),
    spoilers=("topk", "normalize", "fill_diagonal", "masked_fill"),
)


# ---- lab07.3: what equal vectors must give

static_share = Exercise(
    number="lab07.3",
    title="what equal vectors must give",
    difficulty=2,
    minutes=8,
    reference=0.3,
    misconceptions=(
        Misconception(
            "itself",
            "every use would be its own neighbour then, and it is left out",
            1.0,
        ),
        Misconception(
            "first is its own",
            "nearly: nine uses get the first one. But whom does the first one get?",
            0.4,
        ),
        Misconception(
            "nine of ten",
            "the right ones are right, but the first use is asked like the others",
            3 / 9,
        ),
        Misconception(
            "luck",
            "that is what a *random* candidate would give: here it is not drawn, it is the first",
            42 / 90,
        ),
        Misconception(
            "luck with itself",
            "that is what a random candidate would give, the use itself among them: here nothing"
            " is drawn",
            0.52,
        ),
        Misconception(
            "a coin",
            "two senses do not make a coin: which candidate wins where all are equally near?",
            0.5,
        ),
        Misconception(
            "most frequent",
            "nobody counts the senses here: one single candidate decides, and look at its sense",
            0.6,
        ),
        Misconception(
            "nothing",
            "equal vectors know nothing of the sense, but who knows nothing is not always wrong",
            0.0,
        ),
    ),
)


# ---- lab07.4: the mean of a sense

Names = Sequence[str]


def _means_with(
    prepare: Callable[[Tensor], Tensor] = lambda vectors: F.normalize(vectors, dim=-1),
    pool: Callable[[Tensor], Tensor] = lambda rows: F.normalize(rows.mean(dim=0), dim=-1),
    score: Callable[[Tensor, Tensor], Tensor] = lambda mean, vector: mean @ vector,
    key: Callable[[str, str], tuple] = lambda word, sense: (word, sense),
    own_senses: bool = True,
) -> Callable[[Tensor, Names, Names, Tensor, Names], list[str]]:
    """The sense with the best mean, where a step may be another."""

    def name(
        vectors: Tensor, words: Names, senses: Names, asked: Tensor, asked_words: Names
    ) -> list[str]:
        rows, kinds = prepare(vectors), list(zip(words, senses, strict=True))
        keys = np.array([str(key(*kind)) for kind in kinds])
        means = {kind: pool(rows[keys == str(key(*kind))]) for kind in sorted(set(kinds))}
        found = []
        for vector, word in zip(F.normalize(asked, dim=-1), asked_words, strict=True):
            allowed = [kind for kind in means if kind[0] == word or not own_senses]
            found.append(max(allowed, key=lambda kind: float(score(means[kind], vector)))[1])
        return found

    return name


def _most_frequent(vectors, words, senses, asked, asked_words) -> list[str]:
    counts: dict[str, Counter] = {}
    for word, sense in zip(words, senses, strict=True):
        counts.setdefault(word, Counter())[sense] += 1
    return [counts[word].most_common(1)[0][0] for word in asked_words]


def _sense_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    draw, generator = random.Random(seed), _generator(seed)
    kinds = [("bat", "animal"), ("bat", "club"), ("seal", "animal"), ("seal", "stamp")]
    sizes = dict(zip(kinds, (3, 7, 8, 4), strict=True))
    centres = {kind: 0.5 * _draw(6, generator=generator) for kind in kinds}
    known = draw.sample([kind for kind in kinds for _ in range(sizes[kind])], 22)
    asked = draw.sample([kind for kind in kinds for _ in range(30)], 120)

    def vectors(uses: list[tuple[str, str]]) -> Tensor:
        made = torch.stack([centres[use] for use in uses])
        made = made + _draw(*made.shape, generator=generator)
        lengths = _draw(len(made), 1, generator=generator).exp()
        return made * lengths

    words, senses = (list(names) for names in zip(*known, strict=True))
    asked_words = [word for word, _ in asked]
    return {
        "on a plane: one long use of a sense": (
            torch.tensor([[9.0, 0.0], [0.0, 1.0], [0.6, 1.0], [1.0, 0.9]], dtype=torch.float64),
            ["bat"] * 4,
            ["club", "club", "club", "animal"],
            torch.tensor([[0.5, 1.0], [2.0, 1.0]], dtype=torch.float64),
            ["bat", "bat"],
        ),
        "22 uses of bat and seal, 120 to name": (
            vectors(known),
            words,
            senses,
            vectors(asked),
            asked_words,
        ),
    }


name_senses = Exercise(
    number="lab07.4",
    title="the mean of a sense",
    difficulty=3,
    minutes=18,
    reference=_means_with(),
    cases=_sense_cases,
    hidden=_sense_cases,
    misconceptions=(
        Misconception(
            "two animals, one mean",
            "two words have a sense of the same name, and you take the mean of both together: the"
            " animal that flies is not the animal that swims",
            _means_with(key=lambda word, sense: (sense,)),
        ),
        Misconception(
            "senses of other words",
            "some uses get a sense that their word does not have, or has only by chance: the"
            " candidates are the senses of *this* word",
            _means_with(own_senses=False),
        ),
        Misconception(
            "long uses weigh more",
            "a long vector pulls the mean of its sense to its side: every use should weigh the"
            " same, so give it length 1 *before* the mean",
            _means_with(prepare=lambda vectors: vectors),
        ),
        Misconception(
            "means of different lengths",
            "the mean of uses that agree is longer than that of uses that do not, and the longer"
            " one wins: compare with a cosine",
            _means_with(pool=lambda rows: rows.mean(dim=0)),
        ),
        Misconception(
            "sums",
            "the sense with more uses wins too often: you add up, and a sum grows with each use",
            _means_with(pool=lambda rows: rows.sum(dim=0)),
        ),
        Misconception(
            "nearest use",
            "you ask the nearest single use: here the mean of all uses of a sense decides",
            _means_with(pool=lambda rows: rows, score=lambda rows, vector: (rows @ vector).max()),
        ),
        Misconception(
            "least alike",
            "you take the sense that is *least* like the use",
            _means_with(score=lambda mean, vector: -(mean @ vector)),
        ),
        Misconception(
            "most frequent",
            "the vectors do not matter to you: each word gets its most frequent sense",
            _most_frequent,
        ),
    ),
    spoilers=("normalize", "mean(dim=0)", "zip(words, senses"),
)


# ---- lab07.5: a layer chosen without the test


def _layers_with(
    together: bool = False,
    chosen_on_test: bool = False,
    leave_out: bool = True,
    centre: bool = True,
    own_mean: bool = False,
) -> Callable[[Tensor, Tensor, Tensor, Tensor], tuple[int, Tensor]]:
    """The layer and what is right on test, where some of the rules do not hold."""

    def report(train: Tensor, senses: Tensor, test: Tensor, test_senses: Tensor):
        mean = train.mean(dim=1, keepdim=True)
        test_mean = mean
        if together:
            mean = test_mean = torch.cat([train, test], dim=1).mean(dim=1, keepdim=True)
        if own_mean:
            test_mean = test.mean(dim=1, keepdim=True)
        if centre:
            train, test = train - mean, test - test_mean
        train, test = F.normalize(train, dim=-1), F.normalize(test, dim=-1)
        judged = senses[(test @ train.mT).argmax(dim=-1)] == test_senses  # (L, M)
        cosines = train @ train.mT  # (L, N, N)
        if leave_out:
            cosines = cosines.masked_fill(torch.eye(len(senses), dtype=torch.bool), -2)
        left_out = senses[cosines.argmax(dim=-1)] == senses  # (L, N)
        shares = (judged if chosen_on_test else left_out).double().mean(dim=-1)
        layer = int(shares.argmax())
        return layer, judged[layer]

    return report


def _right_on_train(train, senses, test, test_senses):
    layer, _ = _layers_with()(train, senses, test, test_senses)
    rows = F.normalize(train[layer] - train[layer].mean(dim=0), dim=-1)
    found = (rows @ rows.T).fill_diagonal_(-2).argmax(dim=-1)
    return layer, senses[found] == senses


def _layers_and_uses(draw: random.Random, generator: Generator) -> tuple[Tensor, ...]:
    """Uses in five layers: one layer is best on train, and another on test."""
    best, tempting = draw.sample(range(1, 5), 2)
    strength = torch.full((2, 5, 1, 1), 0.3, dtype=torch.float64)  # of train and test
    strength[0, best] = strength[1, tempting] = 2.5
    strength[1, best] = strength[0, tempting] = 0.7
    centres, away = _draw(5, 3, 4, generator=generator), _draw(5, 1, 4, generator=generator)
    senses, test_senses = torch.arange(18) % 3, torch.arange(24) % 3
    train, test = (
        1.5 + centres[:, labels] * how + _draw(5, len(labels), 4, generator=generator)
        for labels, how in ((senses, strength[0]), (test_senses, strength[1]))
    )
    return train, senses, test + 1.5 * away, test_senses


def _layer_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    draw, generator = random.Random(seed), _generator(seed)
    ideas = [_layers_with(), *(idea.wrong for idea in report_layer.misconceptions)]
    while True:  # until the uses tell all ideas apart
        uses = _layers_and_uses(draw, generator)
        found = [idea(*uses) for idea in ideas]
        if len({(layer, tuple(right.tolist())) for layer, right in found}) == len(ideas):
            return {"5 layers, 18 uses to learn from, 24 to be judged on": uses}


report_layer = Exercise(
    number="lab07.5",
    title="a layer chosen without the test",
    difficulty=3,
    minutes=18,
    reference=_layers_with(),
    cases=_layer_cases,
    hidden=_layer_cases,
    misconceptions=(
        Misconception(
            "as found",
            "both leaks are still open: the test uses take part in the mean, and their senses in"
            " the choice of the layer",
            _layers_with(together=True, chosen_on_test=True),
        ),
        Misconception(
            "chosen on test",
            "the layer is still the one that is best *on test*: its senses may be used to judge,"
            " and not to choose",
            _layers_with(chosen_on_test=True),
        ),
        Misconception(
            "mean of both",
            "the test uses still take part in the mean: add one more, and the answers for the"
            " others may change",
            _layers_with(together=True),
        ),
        Misconception(
            "mean of their own",
            "the test uses lose a mean of their own: then each test set lives in another space,"
            " and a single use would become zero",
            _layers_with(own_mean=True),
        ),
        Misconception(
            "no mean",
            "nothing is subtracted any more: the mean of the *training* uses has no leak",
            _layers_with(centre=False),
        ),
        Misconception(
            "own neighbour",
            "your layer is always the first: on train each use finds *itself*, so that all layers"
            " are perfect",
            _layers_with(leave_out=False),
        ),
        Misconception(
            "own neighbour, mean of both",
            "on train each use finds *itself*, so that all layers are perfect; and the test uses"
            " still take part in the mean",
            _layers_with(leave_out=False, together=True),
        ),
        Misconception(
            "right on train",
            "you return what is right on *train* in the chosen layer: choose there, judge on test",
            _right_on_train,
        ),
    ),
    spoilers=("fill_diagonal", "train.mean", "masked_fill"),
)


# ---- lab07.6: an interval for words

Draws = Sequence[Sequence[str]]


def _drawn_shares(values: np.ndarray, words: Names, draws: Draws) -> np.ndarray:
    names = np.array(words)
    return np.array(
        [np.concatenate([values[names == word] for word in drawn]).mean() for drawn in draws]
    )


def _ends(shares: np.ndarray, low: float = 2.5, high: float = 97.5) -> tuple[float, float]:
    return tuple(float(end) for end in np.percentile(shares, [low, high]))


def _word_interval(values: np.ndarray, words: Names, draws: Draws) -> tuple[float, float]:
    return _ends(_drawn_shares(values, words, draws))


def _words_alike(values: np.ndarray, words: Names, draws: Draws) -> tuple[float, float]:
    names = np.array(words)
    means = {word: values[names == word].mean() for word in set(words)}
    return _ends(np.array([np.mean([means[word] for word in drawn]) for drawn in draws]))


def _twice_is_once(values: np.ndarray, words: Names, draws: Draws) -> tuple[float, float]:
    return _word_interval(values, words, [sorted(set(drawn)) for drawn in draws])


def _normal(values: np.ndarray, words: Names, draws: Draws) -> tuple[float, float]:
    shares = _drawn_shares(values, words, draws)
    return tuple(float(shares.mean() + side * 1.96 * shares.std()) for side in (-1, 1))


def _standard_error(values: np.ndarray, words: Names, draws: Draws) -> tuple[float, float]:
    shares = _drawn_shares(values, words, draws)
    half = 1.96 * shares.std() / len(shares) ** 0.5
    return float(shares.mean() - half), float(shares.mean() + half)


def _interval_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    draw = random.Random(seed)
    names = ["bank", "bark", "crane", "light", "spring"]
    words = [name for name in names for _ in range(draw.randint(2, 9))]
    level = {name: draw.uniform(0.2, 0.95) for name in names}
    values = np.array([float(draw.random() < level[word]) for word in words])
    draws = [draw.choices(names, k=5) for _ in range(60)]
    change = np.array([float(draw.choice([-1, 0, 0, 1, 1])) for _ in words])
    return {
        "the two words by hand, three draws": (
            np.array([1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
            ["bank"] * 4 + ["spring"] * 6,
            [["bank", "bank"], ["spring", "bank"], ["spring", "spring"]],
        ),
        f"{len(words)} uses of 5 words, 60 draws": (values, words, draws),
        "differences of two methods": (change, words, draws),
    }


interval_by_word = Exercise(
    number="lab07.6",
    title="an interval for words",
    difficulty=3,
    minutes=12,
    reference=_word_interval,
    cases=_interval_cases,
    hidden=_interval_cases,
    misconceptions=(
        Misconception(
            "words alike",
            "you take a mean of means: a word with more uses should weigh more, as it does in the"
            " share of all uses",
            _words_alike,
        ),
        Misconception(
            "twice is once",
            "a word that is drawn twice counts once with you: drawing *with* replacement means"
            " that all its uses are there twice",
            _twice_is_once,
        ),
        Misconception(
            "uses drawn",
            "you draw uses on your own, and `draws` has no say: it holds whole words",
            lambda values, words, draws: bootstrap(np.mean, values, resamples=len(draws)),
        ),
        Misconception(
            "90 percent",
            "your interval leaves out 5 % on *each* side: that makes 90 % in the middle",
            lambda values, words, draws: _ends(_drawn_shares(values, words, draws), 5.0, 95.0),
        ),
        Misconception(
            "smallest and largest",
            "these are the smallest and the largest share: the middle 95 % are asked for",
            lambda values, words, draws: _ends(_drawn_shares(values, words, draws), 0.0, 100.0),
        ),
        Misconception(
            "bell curve",
            "you compute the ends from a mean and a spread, as for a bell curve: take them from"
            " the sorted shares themselves",
            _normal,
        ),
        Misconception(
            "standard error",
            "your interval would shrink to nothing with more draws: more draws do not make more"
            " words",
            _standard_error,
        ),
        Misconception(
            "upside down",
            "the lower end comes first",
            lambda values, words, draws: _word_interval(values, words, draws)[::-1],
        ),
        Misconception(
            "one end",
            "you return how wide the interval is: both its ends are asked for",
            lambda values, words, draws: float(np.ptp(_word_interval(values, words, draws))),
        ),
    ),
    spoilers=("2.5, 97.5", "concatenate", "percentile("),
)
