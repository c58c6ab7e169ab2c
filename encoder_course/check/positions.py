"""Checks of notebook 02: embeddings and positions."""

import torch

from encoder_course.check.base import Exercise, Misconception
from encoder_course.nn.positions import rotary, rotary_angles, rotate, sinusoidal


def _one_hot(ids, table):
    return torch.nn.functional.one_hot(ids, len(table)).to(table)


lookup = Exercise(
    number="2.1",
    title="lookup",
    difficulty=1,
    minutes=10,
    reference=lambda ids, table: _one_hot(ids, table) @ table,
    cases=lambda: {
        "one row of 3 tokens, 4 tokens by 2 numbers": (
            torch.tensor([[3, 0, 1]]),
            torch.tensor([[0.5, -1.0], [2.0, 0.25], [4.0, 3.0], [-2.0, 1.5]]),
        ),
        "2 rows of 4 tokens, 5 tokens by 3 numbers": (
            torch.tensor([[1, 1, 4, 2], [0, 3, 2, 4]]),
            torch.arange(15.0).reshape(5, 3) ** 2 - 20,
        ),
    },
    misconceptions=(
        Misconception(
            "off by one",
            "each token gets the vector of its neighbour in the table: ids count from 0",
            lambda ids, table: table[ids - 1],
        ),
        Misconception(
            "one-hot only",
            "these are the rows of zeros with a single one: the table has not been used yet",
            _one_hot,
        ),
        Misconception(
            "bag",
            "the vectors of a row are added up, so the row keeps one vector: each position needs "
            "its own",
            lambda ids, table: _one_hot(ids, table).sum(1) @ table,
        ),
        Misconception(
            "places",
            "the vectors do not depend on the ids but on where a token stands: the one belongs in "
            "the column of the token's id",
            lambda ids, table: table[torch.arange(ids.shape[1]).expand_as(ids) % len(table)],
        ),
    ),
    spoilers=("@ table", "one_hot(", "table[ids]"),
)


def _shares(counts):
    """What pairs, rows and columns have of all counts; a word without counts has 1, not 0."""
    joint = counts / counts.sum()
    row, column = joint.sum(1, keepdim=True), joint.sum(0, keepdim=True)
    return joint, row + (row == 0), column + (column == 0)


def _ppmi(counts):
    joint, row, column = _shares(counts)
    return (joint / row / column).log().clamp(min=0)


def _ppmi_uncut(counts):
    joint, row, column = _shares(counts)
    return (joint / row / column).log().masked_fill(joint == 0, 0.0)


def _ppmi_of_rows(counts):
    joint, row, _ = _shares(counts)
    return (joint / row / row.T).log().clamp(min=0)


def _ppmi_of_counts(counts):
    _, row, column = _shares(counts)
    return (counts / (row * column * counts.sum() ** 2)).log().clamp(min=0)


def _ppmi_empty(counts):
    joint = counts / counts.sum()
    return (joint / joint.sum(1, keepdim=True) / joint.sum(0)).log().clamp(min=0)


def _ppmi_plus_one(counts):
    joint, row, column = _shares(counts)
    return (joint / row / column + 1).log()


ppmi = Exercise(
    number="2.2",
    title="PPMI",
    difficulty=3,
    minutes=20,
    reference=_ppmi,
    cases=lambda: {
        "symmetric counts of 3 words": (
            torch.tensor([[0.0, 6.0, 1.0], [6.0, 2.0, 0.0], [1.0, 0.0, 4.0]]),
        ),
        "3 words (rows) before 3 others (columns)": (
            torch.tensor([[5.0, 0.0, 2.0], [1.0, 7.0, 0.0], [0.0, 1.0, 9.0]]),
        ),
        "a word that was never seen": (
            torch.tensor([[0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [3.0, 0.0, 8.0]]),
        ),
    },
    misconceptions=(
        Misconception(
            "base 2",
            "every entry is 1.44 times too large: these are bits, and nats are asked for",
            lambda counts: _ppmi(counts) / torch.tensor(2.0).log(),
        ),
        Misconception(
            "not positive",
            "pairs that meet less often than chance come out negative: the first P is missing",
            _ppmi_uncut,
        ),
        Misconception(
            "counts for shares",
            "the entries are too small, by the same amount for each pair: a count is divided by a "
            "product of two counts, and shares of the total are needed",
            _ppmi_of_counts,
        ),
        Misconception(
            "rows twice",
            "right where the table is symmetric, wrong elsewhere: how frequent a context is "
            "stands in its column, not in its row",
            _ppmi_of_rows,
        ),
        Misconception(
            "0 / 0",
            "a word that was never seen gives NaN: its share is 0, and 0 / 0 is no number",
            _ppmi_empty,
        ),
        Misconception(
            "one added",
            "every pair has something, even one that chance explains: 1 is added before the "
            "logarithm to keep it from minus infinity, and that moves all entries",
            _ppmi_plus_one,
        ),
    ),
    spoilers=("clamp", "keepdim", "nan_to_num", "where("),
)


tables = Exercise(
    number="2.3",
    title="numbers in BERT's tables",
    difficulty=1,
    minutes=5,
    reference=(30_522 + 512 + 2) * 768,
    misconceptions=(
        Misconception(
            "tokens only",
            "that is the largest of the tables alone: positions and segments have vectors too",
            30_522 * 768,
        ),
        Misconception(
            "no segments",
            "one table is missing, the smallest: it says which of two texts a token is from",
            (30_522 + 512) * 768,
        ),
        Misconception(
            "with the norm",
            "the scales and shifts of the norm are in it: they are parameters, but in no table",
            (30_522 + 512 + 2 + 2) * 768,
        ),
        Misconception(
            "every pair",
            "there would be a vector for each token at each position: the vectors are added, so "
            "that one table per question is enough",
            30_522 * 512 * 2 * 768,
        ),
    ),
)


def _angles(length, dim):
    return rotary_angles(length, dim)


def _mixed(sines, cosines):
    return torch.stack([sines, cosines], dim=-1).flatten(1).float()


def _each_column_its_own(length, dim):
    times, columns = torch.arange(length)[:, None], torch.arange(dim)
    angles = times / 10_000 ** (columns / dim)
    return torch.where(columns % 2 == 0, angles.sin(), angles.cos())


def _half_exponents(length, dim):
    angles = torch.arange(length)[:, None] / 10_000 ** (torch.arange(dim // 2) / dim)
    return _mixed(angles.sin(), angles.cos())


sines = Exercise(
    number="2.4",
    title="sinusoidal positions",
    difficulty=3,
    minutes=20,
    reference=sinusoidal,
    cases=lambda: {
        "3 positions of 4 numbers": (3, 4),
        "7 positions of 10 numbers": (7, 10),
    },
    misconceptions=(
        Misconception(
            "halves",
            "all sines stand before all cosines: a sine and the cosine of the same angle are "
            "neighbours here",
            lambda t, d: torch.cat([_angles(t, d).sin(), _angles(t, d).cos()], dim=1).float(),
        ),
        Misconception(
            "cosine first",
            "sines and cosines have changed places: position 0 starts with a 0",
            lambda t, d: _mixed(_angles(t, d).cos(), _angles(t, d).sin()),
        ),
        Misconception(
            "from 1",
            "row 0 is what row 1 should be: the first position is number 0",
            lambda t, d: sinusoidal(t + 1, d)[1:],
        ),
        Misconception(
            "own angle",
            "the sine and the cosine of a pair are taken of two different angles: a pair is one "
            "hand of one clock",
            _each_column_its_own,
        ),
        Misconception(
            "half the exponent",
            "the first hand is right and the others turn too fast: the exponent of pair i counts "
            "numbers, not pairs",
            _half_exponents,
        ),
        Misconception(
            "faster and faster",
            "the hands get faster from pair to pair: they should get slower",
            lambda t, d: _mixed(
                (torch.arange(t)[:, None] * 10_000.0 ** (torch.arange(0, d, 2) / d)).sin(),
                (torch.arange(t)[:, None] * 10_000.0 ** (torch.arange(0, d, 2) / d)).cos(),
            ),
        ),
    ),
    tolerance=1e-4,
    spoilers=("[:, 0::2]", "2 * i / dim", "arange(0, dim, 2)"),
)


def _turn(x, direction=1):
    cos, sin = rotary(*x.shape, dtype=x.dtype)
    return rotate(x[None, None], cos, direction * sin)[0, 0]


def _stretch(x):
    """The plus where a rotation has a minus."""
    cos, sin = rotary(*x.shape, dtype=x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos + second * sin, second * cos + first * sin], dim=-1)


def _turn_neighbours(x):
    cos, sin = rotary(*x.shape, dtype=x.dtype)
    first, second = x[:, 0::2], x[:, 1::2]
    turned = [first * cos - second * sin, second * cos + first * sin]
    return torch.stack(turned, dim=-1).flatten(1)


def _turn_all_alike(x):
    angles = torch.arange(len(x), dtype=x.dtype)[:, None]
    first, second = x.chunk(2, dim=-1)
    turned = [first * angles.cos() - second * angles.sin()]
    turned.append(second * angles.cos() + first * angles.sin())
    return torch.cat(turned, dim=-1)


def _rows(seed, length, width):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(length, width, generator=generator) for _ in range(3))


turn = Exercise(
    number="2.5",
    title="turn queries and keys",
    difficulty=3,
    minutes=15,
    reference=lambda q, k, v: (_turn(q), _turn(k), v),
    cases=lambda: {
        "3 positions, heads of 4 numbers": _rows(0, 3, 4),
        "6 positions, heads of 8 numbers": _rows(1, 6, 8),
    },
    misconceptions=(
        Misconception(
            "as handed out",
            "the lengths of the vectors change, so this is no rotation; and something is turned "
            "that only carries content",
            lambda q, k, v: (_stretch(q), _stretch(k), _stretch(v)),
        ),
        Misconception(
            "values turned",
            "the rotation is right, but it turns the values too: what a token hands over must not "
            "depend on where it stands",
            lambda q, k, v: (_turn(q), _turn(k), _turn(v)),
        ),
        Misconception(
            "stretched",
            "the lengths of queries and keys change: a sign of the rotation is wrong",
            lambda q, k, v: (_stretch(q), _stretch(k), v),
        ),
        Misconception(
            "backwards",
            "both turn the other way round: the other sign of the rotation was the wrong one",
            lambda q, k, v: (_turn(q, -1), _turn(k, -1), v),
        ),
        Misconception(
            "against each other",
            "queries and keys turn in opposite directions: their scores then depend on the sum of "
            "the two positions, not on the distance",
            lambda q, k, v: (_turn(q), _turn(k, -1), v),
        ),
        Misconception(
            "queries only",
            "the keys stand still: their scores then depend on where the query stands, not on the "
            "distance",
            lambda q, k, v: (_turn(q), k, v),
        ),
        Misconception(
            "neighbours",
            "this is a rotation, but of neighbouring numbers, as in the paper: here a number is "
            "paired with one of the other half",
            lambda q, k, v: (_turn_neighbours(q), _turn_neighbours(k), v),
        ),
        Misconception(
            "one speed",
            "all pairs turn at the same speed: then a full turn brings every distance back",
            lambda q, k, v: (_turn_all_alike(q), _turn_all_alike(k), v),
        ),
    ),
    tolerance=1e-4,
    spoilers=("first * cos - second * sin", "-second"),
)

survivor = Exercise(
    number="2.6",
    title="longer rows",
    difficulty=2,
    minutes=5,
    reference="rotary",
    misconceptions=(
        Misconception(
            "none",
            "without positions nothing breaks on longer rows, but there was nothing to break: "
            "it never finds the token before",
            "none",
        ),
        Misconception(
            "sinusoidal",
            "the table goes on for ever, so the vectors exist; but the layers above have never "
            "seen these rows of it and must have learnt what to do with them",
            "sinusoidal",
        ),
        Misconception(
            "learned",
            "the rows of the table beyond the training length were never asked for, so no "
            "gradient ever reached them (section 1)",
            "learned",
        ),
        Misconception(
            "alibi",
            "it does survive longer rows in language models that read from left to right; but "
            "look at its picture: can it tell the token before from the token after?",
            "alibi",
        ),
    ),
)
