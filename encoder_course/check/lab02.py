"""Checks of lab 02: embeddings and positions."""

import torch
from torch.nn import functional as F

from encoder_course.check import positions
from encoder_course.check.base import Exercise, Misconception
from encoder_course.check.running import call
from encoder_course.nn import positions as package


def _draw(seed):
    """Make a function that draws normal numbers of a shape, and one that draws whole numbers."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    def whole(low, high, *shape):
        drawn = torch.randint(low, high, shape, generator=generator)
        return drawn if shape else drawn.item()

    return normal, whole


# ---- embed


def _embed(ids, table, positions, types=None, kinds=None):
    hidden = table[ids] + positions[..., : ids.shape[1], :]
    if types is None:
        return hidden
    return hidden + (types[0] if kinds is None else types[kinds])


def _placed(places):
    """Embed with the position vectors that `places(ids, positions)` returns."""
    return lambda ids, table, positions, *rest: _embed(ids, table, places(ids, positions), *rest)


def _parts(ids, table, positions, types=None, kinds=None):
    """The vectors that are to be added, each (B, T, D)."""
    zeros = torch.zeros_like(table[ids])
    parts = [table[ids], zeros + positions[: ids.shape[1]]]
    if types is not None:
        parts.append(zeros + (types[0] if kinds is None else types[kinds]))
    return parts


def _embed_cases(seed=0):
    normal, whole = _draw(seed)
    length = whole(3, 6)
    ids = whole(0, 9, 2, length)
    table, positions, types = normal(9, 4), normal(12, 4), normal(2, 4)
    kinds = (torch.arange(length) >= whole(1, length)).long().expand(2, -1)
    return {
        "2 rows of tokens, no types": (ids, table, positions),
        "2 rows, the first tokens of kind 0 and the others of kind 1": (
            *(ids, table, positions, types),
            kinds,
        ),
        "2 rows and types, but no kinds": (ids, table, positions, types),
    }


embed = Exercise(
    number="lab02.1",
    title="embed",
    difficulty=2,
    minutes=10,
    reference=_embed,
    cases=_embed_cases,
    hidden=_embed_cases,
    misconceptions=(
        Misconception(
            "no positions",
            "the same token gets the same vector wherever it stands: the positions are not in it",
            _placed(lambda ids, positions: positions * 0),
        ),
        Misconception(
            "position of the id",
            "the position vector is looked up with the token's id: a token would carry the same "
            "position wherever it stands",
            _placed(lambda ids, positions: positions[ids]),
        ),
        Misconception(
            "position of the row",
            "all tokens of a row get one position vector, and the next row gets the next: "
            "positions run along a row, not over the batch",
            _placed(lambda ids, p: p[: len(ids), None].expand(-1, ids.shape[1], -1)),
        ),
        Misconception(
            "from 1",
            "each token gets the position vector of its right neighbour: positions count from 0",
            _placed(lambda ids, positions: positions[1:]),
        ),
        Misconception(
            "one long row",
            "the second row goes on counting where the first one ended: each row starts anew, or "
            "its vectors would depend on its neighbours in the batch",
            _placed(lambda ids, p: p[: ids.numel()].reshape(*ids.shape, -1)),
        ),
        Misconception(
            "types ignored",
            "right without types, but with them nothing changes: the tokens of two texts cannot "
            "be told apart",
            lambda ids, table, positions, *_: _embed(ids, table, positions),
        ),
        Misconception(
            "no kinds, no type",
            "where the model has types and no kinds are given, nothing is added: the layers above "
            "have never seen a token without a type; without kinds, all tokens are of kind 0",
            lambda ids, table, positions, types=None, kinds=None: _embed(
                ids, table, positions, None if kinds is None else types, kinds
            ),
        ),
        Misconception(
            "always kind 0",
            "every token gets the first type vector, whatever its kind is",
            lambda ids, table, positions, types=None, kinds=None: _embed(
                ids, table, positions, types
            ),
        ),
        Misconception(
            "side by side",
            "the vectors stand side by side, so the rows are wider than the model: they share one "
            "set of D numbers",
            lambda *inputs: torch.cat(_parts(*inputs), dim=-1),
        ),
        Misconception(
            "multiplied",
            "the vectors are multiplied with each other number by number: where one of them has a "
            "0, nothing of the others is left",
            lambda *inputs: torch.stack(_parts(*inputs)).prod(0),
        ),
        Misconception(
            "averaged",
            "every number is too small, by the same factor: this is the mean of the vectors",
            lambda *inputs: torch.stack(_parts(*inputs)).mean(0),
        ),
        Misconception(
            "louder tokens",
            "the token vectors are made larger by the root of the width, as the first transformer "
            "did it: BERT and MiniLM take them as they are in the table",
            lambda ids, table, *rest: _embed(ids, table * table.shape[1] ** 0.5, *rest),
        ),
    ),
    spoilers=("table[ids]", "[: ids.shape[1]]", "types[kinds]"),
)


# ---- sinusoidal


def _sinusoidal_seen(answer, seed=0):
    _, whole = _draw(seed)
    dim, many = 2 * whole(4, 8), whole(20_000, 30_000)
    return {
        "3 positions of 4 numbers": call(answer, 3, 4),
        f"6 positions of {dim} numbers": call(answer, 6, dim),
        f"the last 4 of {many:,} positions, where a small error of the speed is a large one of "
        "the angle": call(answer, many, dim)[-4:],
    }


def _single_precision(length, dim):
    angles = torch.arange(length)[:, None] * 10_000.0 ** -(torch.arange(0, dim, 2) / dim)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


sinusoidal = Exercise(
    number="lab02.2",
    title="sinusoidal",
    difficulty=2,
    minutes=8,
    reference=package.sinusoidal,
    observe=_sinusoidal_seen,
    hidden=_sinusoidal_seen,
    misconceptions=(
        *positions.sines.misconceptions,
        Misconception(
            "angles in float32",
            "the first positions are right, and those far out are off in the fourth digit: a "
            "float32 holds about seven digits, and an angle of thousands of radians spends most "
            "of them before the point",
            _single_precision,
        ),
    ),
    spoilers=("float64", "double()", *positions.sines.spoilers),
)


# ---- shift


def _shift(k, dim, entries=lambda cos, sin: [[cos, sin], [-sin, cos]], speeds=None):
    """A block of `entries` for each pair of numbers, along the diagonal of (D, D)."""
    speeds = package.rotary_angles(2, dim)[1] if speeds is None else speeds  # (D/2,)
    angles = [k * speed for speed in speeds.tolist()]
    blocks = [torch.tensor(entries(torch.tensor(a).cos(), torch.tensor(a).sin())) for a in angles]
    return torch.block_diag(*blocks)


def _shift_of_halves(k, dim):
    angles = k * package.rotary_angles(2, dim)[1].float()
    cos, sin = angles.cos().diag(), angles.sin().diag()
    return torch.cat([torch.cat([cos, sin], dim=1), torch.cat([-sin, cos], dim=1)])


def _shift_hidden(seed):
    _, whole = _draw(seed)
    k, dim = whole(2, 9), 2 * whole(3, 6)
    return {f"{k} positions on, {dim} numbers": (k, dim)}


shift = Exercise(
    number="lab02.3",
    title="shift",
    difficulty=4,
    minutes=15,
    reference=_shift,
    cases=lambda: {
        "3 positions on, 4 numbers": (3, 4),
        "2 positions back, 6 numbers": (-2, 6),
    },
    hidden=_shift_hidden,
    misconceptions=(
        Misconception(
            "backwards",
            "a clean rotation, but it leads k positions back: in the table the sine comes first, "
            "and the rotation of the textbook turns a cosine that comes first",
            lambda k, dim: _shift(k, dim, lambda cos, sin: [[cos, -sin], [sin, cos]]),
        ),
        Misconception(
            "no rotation",
            "the blocks do not keep the length of a vector: write out the sine and the cosine of "
            "a sum of two angles, and compare the signs",
            lambda k, dim: _shift(k, dim, lambda cos, sin: [[cos, sin], [sin, cos]]),
        ),
        Misconception(
            "sine for cosine",
            "a shift by 0 positions would not leave the row as it is: sine and cosine have "
            "changed places",
            lambda k, dim: _shift(k, dim, lambda cos, sin: [[sin, cos], [-cos, sin]]),
        ),
        Misconception(
            "diagonal",
            "each number is only made smaller or larger, on its own: a new sine needs the old "
            "sine and the old cosine",
            lambda k, dim: _shift(k, dim, lambda cos, sin: [[cos, 0], [0, cos]]),
        ),
        Misconception(
            "one step",
            "this leads one position on, whatever k is",
            lambda k, dim: _shift(1, dim),
        ),
        Misconception(
            "k times larger",
            "this is the matrix of one step, made k times larger: k steps are one step k times "
            "over, and each of them is a rotation",
            lambda k, dim: k * _shift(1, dim),
        ),
        Misconception(
            "one speed",
            "all pairs turn by the same angle: each pair is a hand of its own speed",
            lambda k, dim: _shift(k, dim, speeds=torch.ones(dim // 2)),
        ),
        Misconception(
            "half the exponent",
            "the first pair is right and the others turn too fast: in the exponent, pair i is "
            "not number i of the row",
            lambda k, dim: _shift(k, dim, speeds=10_000.0 ** -(torch.arange(dim // 2) / dim)),
        ),
        Misconception(
            "halves",
            "number i is mixed with number i + D/2, as rotary positions do it in this course: in "
            "the sinusoidal table a sine and its cosine are neighbours",
            _shift_of_halves,
        ),
    ),
    tolerance=1e-4,
    spoilers=("[cos, sin]", "block_diag", "[-sin"),
)


# ---- rotate


def _rotate(x, base=10_000.0):
    return package.rotate(x, *package.rotary(*x.shape[2:], base, x.dtype))


def _turned(x, angles, sign=-1):
    """Turn the pairs of halves by angles that broadcast to (B, H, T, K/2); +1 for a wrong sign."""
    cos, sin = angles.cos().to(x), angles.sin().to(x)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos + sign * second * sin, second * cos + first * sin], dim=-1)


def _overwritten(x, base=10_000.0):
    angles = package.rotary_angles(*x.shape[2:], base).to(x)
    first, second = x.chunk(2, dim=-1)
    first = first * angles.cos() - second * angles.sin()
    return torch.cat([first, second * angles.cos() + first * angles.sin()], dim=-1)


def _rotate_by(angles):
    """Turn by `angles(x, base)` in place of the right ones."""
    return lambda x, base=10_000.0: _turned(x, angles(x, base))


def _by_speed(exponents):
    """Turn pair i at the speed base ** -exponents(x)[i]."""
    return _rotate_by(
        lambda x, base: torch.arange(x.shape[2])[:, None] * float(base) ** -exponents(x)
    )


def _neighbours(x, base=10_000.0):
    halves = torch.cat([x[..., 0::2], x[..., 1::2]], dim=-1)
    return _rotate(halves, base).unflatten(-1, (2, -1)).mT.flatten(-2)


def _two_layouts(x, base=10_000.0):
    angles = package.rotary_angles(*x.shape[2:], base).repeat_interleave(2, 1)
    first, second = x.chunk(2, dim=-1)
    return x * angles.cos().to(x) + torch.cat([-second, first], dim=-1) * angles.sin().to(x)


def _rotate_cases(seed=0):
    normal, whole = _draw(seed)
    base = float(whole(50, 500))
    return {
        "2 texts, 3 heads, 5 positions, heads of 6 numbers": (normal(2, 3, 5, 6),),
        f"2 texts, 3 heads, 4 positions, heads of 8 numbers, base {base:.0f}": (
            normal(2, 3, 4, 8),
            base,
        ),
    }


rotate = Exercise(
    number="lab02.4",
    title="rotate",
    difficulty=3,
    minutes=12,
    reference=_rotate,
    cases=_rotate_cases,
    hidden=_rotate_cases,
    misconceptions=(
        Misconception(
            "neighbours",
            "a rotation of neighbouring numbers, as in the paper: in this course a number is "
            "paired with one of the other half",
            _neighbours,
        ),
        Misconception(
            "two layouts",
            "numbers are paired across the halves, but the angles are laid out for neighbours: "
            "the two numbers of a pair turn by different angles, and lengths change",
            _two_layouts,
        ),
        Misconception(
            "no rotation",
            "the vectors change their length: a sign is wrong",
            lambda x, base=10_000.0: _turned(x, package.rotary_angles(*x.shape[2:], base), sign=1),
        ),
        Misconception(
            "overwritten",
            "the first half is right and the second is not: it was computed from the first half "
            "after that had been turned already",
            _overwritten,
        ),
        Misconception(
            "backwards",
            "everything turns the other way round: scores would still know the distance, but a "
            "model trained one way cannot be run the other way",
            _rotate_by(lambda x, base: -package.rotary_angles(*x.shape[2:], base)),
        ),
        Misconception(
            "heads for positions",
            "all tokens of a head turn by one angle, and each head by another: look which axis of "
            "x counts positions",
            _rotate_by(
                lambda x, base: package.rotary_angles(x.shape[1], x.shape[3], base)[:, None]
            ),
        ),
        Misconception(
            "one long row",
            "the second text goes on counting where the first one ended: scores inside it would "
            "be right, yet its vectors depend on its neighbours in the batch",
            _rotate_by(
                lambda x, base: package.rotary_angles(
                    len(x) * x.shape[2], x.shape[3], base
                ).reshape(len(x), 1, x.shape[2], -1)
            ),
        ),
        Misconception(
            "from 1",
            "the first position is turned already: it is number 0, and its angles are 0",
            _rotate_by(lambda x, base: package.rotary_angles(x.shape[2] + 1, x.shape[3], base)[1:]),
        ),
        Misconception(
            "base ignored",
            "right for the usual base, and the same for any other: `base` is not used",
            _rotate_by(lambda x, base: package.rotary_angles(*x.shape[2:])),
        ),
        Misconception(
            "one speed",
            "all pairs turn at the same speed: after one full turn, every distance looks like 0",
            _by_speed(lambda x: torch.zeros(x.shape[3] // 2)),
        ),
        Misconception(
            "half the exponent",
            "the first pair is right and the others turn too fast: the slowest pair should come "
            "near to 1 / base",
            _by_speed(lambda x: torch.arange(x.shape[3] // 2) / x.shape[3]),
        ),
        Misconception(
            "model width",
            "the first pair is right and the others turn too fast: the exponents are shares of "
            "the whole model's width, and each head has all speeds",
            _by_speed(lambda x: torch.arange(x.shape[3] // 2) * 2 / (x.shape[1] * x.shape[3])),
        ),
    ),
    tolerance=1e-4,
    spoilers=("first * cos - second * sin", "-second", "chunk(2"),
)


# ---- to_halves


def _to_halves(weight, heads):
    return weight.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)


def _to_neighbours(weight, heads):
    """The way back: rows laid out for halves, laid out for neighbours."""
    return weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)


def _to_halves_cases(seed=0):
    normal, whole = _draw(seed)
    width = 2 * whole(3, 5)
    return {
        f"{heads} heads of {width} numbers": (normal(heads * width, heads * width), heads)
        for heads in (2, 3)
    }


to_halves = Exercise(
    number="lab02.5",
    title="to_halves",
    difficulty=3,
    minutes=12,
    reference=_to_halves,
    cases=_to_halves_cases,
    hidden=_to_halves_cases,
    misconceptions=(
        Misconception(
            "as handed out",
            "this is the function as your colleague left it, with both mistakes",
            lambda weight, heads: _to_neighbours(weight, 1),
        ),
        Misconception(
            "one head",
            "the direction is right, but rows move from one head to another: a head's rows stay "
            "together",
            lambda weight, heads: _to_halves(weight, 1),
        ),
        Misconception(
            "backwards",
            "each head keeps its own rows, but they are put from halves into neighbouring pairs, "
            "and the other direction is asked for",
            _to_neighbours,
        ),
        Misconception(
            "columns",
            "the columns are in a new order and the rows as before: a column belongs to a number "
            "that comes in, and what is paired are the numbers that come out",
            lambda weight, heads: _to_halves(weight.mT, heads).mT,
        ),
        Misconception(
            "rows and columns",
            "the columns are in a new order as well: what comes in from the layer below has "
            "stayed where it was",
            lambda weight, heads: _to_halves(_to_halves(weight, heads).mT, heads).mT,
        ),
        Misconception(
            "second before first",
            "the halves have changed places: every pair would turn the other way round",
            lambda weight, heads: _to_halves(
                weight.unflatten(0, (-1, 2)).flip(1).flatten(0, 1), heads
            ),
        ),
        Misconception(
            "nothing moved",
            "the weights are as they came: in a pair of halves, two numbers would turn together "
            "that were trained apart",
            lambda weight, heads: weight.clone(),
        ),
    ),
    spoilers=("transpose(1", "(heads, -1", "[0::2]"),
)


# ---- unchanged

_TABLES = "a token and a position are added, and the sums go through two different matrices"

unchanged = Exercise(
    number="lab02.6",
    title="what a shift leaves unchanged",
    difficulty=3,
    minutes=5,
    reference={"none", "rotary", "alibi"},
    misconceptions=(
        Misconception(
            "sinusoidal too",
            "two rows of the sinusoidal table have a dot product that knows only the distance; "
            f"but attention does not compare two rows of the table: {_TABLES}",
            {"none", "rotary", "alibi", "sinusoidal"},
        ),
        Misconception(
            "fixed formulas",
            "whether a formula or training made the vectors does not matter: ask what enters a "
            "score, and whether it holds t and s or only t - s; and is anything missing?",
            {"sinusoidal", "rotary", "alibi"},
        ),
        Misconception(
            "turned and added sines",
            "the two share their clocks, and not the place where these enter; think about what "
            "is compared in a score, and about the methods that have no clocks",
            {"sinusoidal", "rotary"},
        ),
        Misconception(
            "needs positions",
            "you have left out the easiest one: who knows no positions cannot notice a shift",
            {"rotary", "alibi"},
        ),
        Misconception(
            "rotary only",
            "right for this one, because a score holds the difference of two angles; which other "
            "methods have a score that holds only a difference, or not even that?",
            {"rotary"},
        ),
        Misconception(
            "without the bias",
            "one method is missing: what it adds to a score is an amount for each distance",
            {"none", "rotary"},
        ),
        Misconception(
            "what changes",
            "these are the methods that do notice the shift, and the others are asked for",
            {"learned", "sinusoidal"},
        ),
        Misconception(
            "everything",
            "a token at another position gets another row of a table, if the method has a table",
            {"none", "rotary", "alibi", "sinusoidal", "learned"},
        ),
    ),
)


# ---- order_gap


def _relative(hidden, other):
    return ((hidden - other).norm(dim=-1).mean() / hidden.norm(dim=-1).mean()).item()


def _order_gap(encode, ids, order):
    return _relative(encode(ids)[:, order], encode(ids[:, order]))


def _gap_of_squares(encode, ids, order):
    hidden, shuffled = encode(ids)[:, order], encode(ids[:, order])
    return (F.mse_loss(shuffled, hidden) / hidden.square().mean()).item()


def _gap_of_all(encode, ids, order):
    hidden, shuffled = encode(ids)[:, order], encode(ids[:, order])
    return ((shuffled - hidden).norm() / hidden.norm()).item()


def _gap_of_each(encode, ids, order):
    hidden, shuffled = encode(ids)[:, order], encode(ids[:, order])
    return ((shuffled - hidden).norm(dim=-1) / hidden.norm(dim=-1)).mean().item()


def _gap_cases(seed=0):
    normal, whole = _draw(seed)
    table, places, ids = normal(20, 4), normal(5, 4), whole(0, 20, 2, 5)
    circle = normal(5).argsort()
    order = torch.empty(5, dtype=torch.int64)
    order[circle] = circle.roll(1)  # one circle through all places: not its own inverse
    return {
        "an encoder that sees no order": (
            lambda ids: table[ids] + table[ids].mean(dim=1, keepdim=True),
            *(ids, order),
        ),
        "an encoder that sees each place": (lambda ids: table[ids] * places, ids, order),
    }


order_gap = Exercise(
    number="lab02.7",
    title="order gap",
    difficulty=3,
    minutes=10,
    reference=_order_gap,
    cases=_gap_cases,
    hidden=_gap_cases,
    misconceptions=(
        Misconception(
            "by place",
            "an encoder that sees no order gets a gap: the vectors that stand in the same place "
            "are compared, and after the shuffle they belong to different tokens",
            lambda encode, ids, order: _relative(encode(ids), encode(ids[:, order])),
        ),
        Misconception(
            "shuffled once more",
            "an encoder that sees no order gets a gap: to put the vectors back in place, the same "
            "order is applied a second time, and only some orders undo themselves (a reversal is "
            "one of them)",
            lambda encode, ids, order: _relative(encode(ids), encode(ids[:, order])[:, order]),
        ),
        Misconception(
            "only the outputs shuffled",
            "every encoder gets 0: only vectors are moved about, and the encoder has never read "
            "the tokens in the other order",
            lambda encode, ids, order: _relative(encode(ids)[:, order], encode(ids)[:, order]),
        ),
        Misconception(
            "pooled",
            "the mean vectors of the rows are compared: a dog that bites and a man that bites may "
            "well have the same mean, and the question is about each token",
            lambda encode, ids, order: _relative(
                encode(ids).mean(dim=1), encode(ids[:, order]).mean(dim=1)
            ),
        ),
        Misconception(
            "absolute",
            "this is the mean distance itself: an encoder whose vectors are twice as long would "
            "seem to see twice as much",
            lambda encode, ids, order: (
                (encode(ids)[:, order] - encode(ids[:, order])).norm(dim=-1).mean().item()
            ),
        ),
        Misconception(
            "squares",
            "squared distances are compared with squared lengths: a distance of half a length "
            "would count as a quarter",
            _gap_of_squares,
        ),
        Misconception(
            "one length for all",
            "all numbers of the batch are taken as one long vector, in which large distances weigh "
            "more: each token has a distance of its own, and the mean comes after",
            _gap_of_all,
        ),
        Misconception(
            "a ratio for each token",
            "each distance is divided by the length of its own token's vector, so short vectors "
            "weigh more: take the two means first",
            _gap_of_each,
        ),
    ),
    spoilers=("[:, order]", "argsort", "norm(dim"),
)
