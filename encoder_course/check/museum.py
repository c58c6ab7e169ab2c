"""Checks of the optional lab, the bug museum: eight published bugs, each with right code."""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from encoder_course.check.base import Misconception
from encoder_course.check.exhibits import Calls, exhibit
from encoder_course.text.masking import NOT_ASKED


def _draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


# ---- 1: the mask upside down


def _attended(q: Tensor, k: Tensor, v: Tensor, keep: Tensor) -> Tensor:
    scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~keep, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0) @ v


def _triangle(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool)


def _causal(q, k, v):
    return _attended(q, k, v, _triangle(q.shape[-2]).tril())


def _causal_fused(q, k, v):
    wide = (x.double() for x in (q, k, v))
    return F.scaled_dot_product_attention(*wide, is_causal=True).to(q.dtype)


def _three(length: int) -> tuple[Tensor, Tensor, Tensor]:
    return tuple(_draw(1, 2, length, 3 + i)[..., :3] for i in range(3))


def _future_is_unseen(implementation):
    q, k, v = _three(4)
    later = torch.tensor([0.0, 0.0, 1.0, 1.0])[:, None]
    before, after = implementation(q, k, v), implementation(q + later, k + later, v + later)
    assert torch.allclose(after[..., :2, :], before[..., :2, :], atol=1e-5)
    assert (after[..., 2:, :] - before[..., 2:, :]).abs().amin() > 1e-3


def _one_token(implementation):
    q, k, v = _three(1)
    assert_close(implementation(q, k, v), v)


def _far_future(implementation):
    q, k, v = _three(5)
    other = v.clone()
    other[..., -1, :] += 1.0
    assert_close(implementation(q, k, other)[..., 0, :], implementation(q, k, v)[..., 0, :])


def _other_queries(implementation):
    q, k, v = _three(5)
    other = q.clone()
    other[..., 3:, :] += 1.0
    assert_close(implementation(other, k, v)[..., :3, :], implementation(q, k, v)[..., :3, :])


def _causal_to_the_bit(implementation):
    q, k, v = _three(40)
    assert torch.equal(implementation(q, k, v), _causal(q, k, v))


test_causal_attention = exhibit(
    number="museum.1",
    title="the mask upside down",
    difficulty=2,
    minutes=9,
    implementations=(
        _causal,
        _causal_fused,
        lambda q, k, v: _attended(q, k, v, _triangle(q.shape[-2]).triu(1)),
        lambda q, k, v: _attended(q, k, v, _triangle(q.shape[-2]).tril(1)),
    ),
    example=lambda: _three(4),
    reference=_future_is_unseen,
    blind={"one token": lambda calls: all(call["q"].shape[-2] == 1 for call in calls)},
    misconceptions=(
        Misconception(
            "one token",
            "your input has a single token, and a single token has no future to look at",
            _one_token,
        ),
        Misconception(
            "far future",
            "it catches the mask that is upside down, and lets a variant pass that leaks a single"
            " position: what you change stands too far from what you compare",
            _far_future,
        ),
        Misconception(
            "queries",
            "it passes on everything, because what it changes nobody else reads: other tokens read"
            " the keys and the values of a token, never its query",
            _other_queries,
        ),
        Misconception(
            "to the bit",
            "it passes on one right implementation and fails on another: the order of additions"
            " changes the last bits of a float, and that is no bug",
            _causal_to_the_bit,
        ),
    ),
    spoilers=("tril", "triu", "assert_close", "clone("),
)


# ---- 2: nine instead of ten


def _one_draw(ids, vocabulary_size, mask_id, generator):
    draw = torch.rand(ids.shape, generator=generator)
    randoms = torch.randint(vocabulary_size, ids.shape, generator=generator)
    return torch.where(draw < 0.8, mask_id, torch.where(draw < 0.9, randoms, ids))


def _masks_first(share_of_rest: float) -> Callable:
    """Replace 80 % of the tokens by [MASK], then this share of the rest by random tokens."""

    def replace(ids, vocabulary_size, mask_id, generator):
        masks = torch.rand(ids.shape, generator=generator) < 0.8
        others = torch.rand(ids.shape, generator=generator) < share_of_rest
        randoms = torch.randint(vocabulary_size, ids.shape, generator=generator)
        return torch.where(masks, mask_id, torch.where(others, randoms, ids))

    return replace


def _randoms_first(ids, vocabulary_size, mask_id, generator):
    others = torch.rand(ids.shape, generator=generator) < 0.1
    masks = torch.rand(ids.shape, generator=generator) < 0.9
    randoms = torch.randint(vocabulary_size, ids.shape, generator=generator)
    return torch.where(others, randoms, torch.where(masks, mask_id, ids))


def _shares(implementation: Callable, count: int) -> tuple[float, float, float]:
    """The shares of [MASK], random and kept among `count` tokens of a large vocabulary."""
    generator = torch.Generator().manual_seed(count)
    ids = torch.randint(5, 30_000, (count,), generator=generator)
    seen = implementation(ids, 30_000, 4, generator)
    masked, kept = (seen == 4).double().mean().item(), (seen == ids).double().mean().item()
    return masked, 1 - masked - kept, kept


def _near(shares: tuple[float, ...], margin: float) -> bool:
    return all(abs(s - w) < margin for s, w in zip(shares, (0.8, 0.1, 0.1), strict=False))


def _within(count: int, margin: float, counted: int = 3) -> Callable:
    def test(implementation):
        assert _near(_shares(implementation, count)[:counted], margin)

    return test


test_replacement = exhibit(
    number="museum.2",
    title="nine instead of ten",
    difficulty=3,
    minutes=12,
    implementations=(_one_draw, _masks_first(0.5), _randoms_first, _masks_first(0.1)),
    example=lambda: (torch.arange(5, 25), 100, 4, torch.Generator().manual_seed(0)),
    reference=_within(100_000, 0.005),
    flaky=_within(2_000, 0.01),
    blind={"few": lambda calls: sum(call["ids"].numel() for call in calls) < 20_000},
    misconceptions=(
        Misconception(
            "few",
            "you allow enough for chance, and so much that a percent slips through: more tokens let"
            " you ask for more",
            _within(1_000, 0.08),
        ),
        Misconception(
            "wide",
            "it sees a share that is off by eight percent of the tokens and not one that is off by"
            " one, and your number of tokens would allow it to",
            _within(60_000, 0.03),
        ),
        Misconception(
            "one share",
            "it counts one of three shares: in a variant the tokens that become [MASK] are right,"
            " and the others are not",
            _within(100_000, 0.005, counted=1),
        ),
    ),
    spoilers=("0.005", "100_000", "100,000", "sqrt", "standard error"),
)


# ---- 3: the neighbours' padding


def _mean_pool(hidden, keep):
    kept = keep[..., None].to(hidden.dtype)
    return (hidden * kept).sum(dim=1) / kept.sum(dim=1)


def _mean_by_row(hidden, keep):
    rows = [row[real].double().mean(dim=0) for row, real in zip(hidden, keep, strict=True)]
    return torch.stack(rows).to(hidden.dtype)


def _rows(lengths: list[int]) -> tuple[Tensor, Tensor]:
    """Hidden states of rows of these lengths, padded on the right, and which of them are real."""
    keep = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return _draw(len(lengths), max(lengths), 6), keep


def _alone_and_in_company(implementation):
    hidden, keep = _rows([5, 2])
    alone = implementation(hidden[1:, :2], keep[1:, :2])
    assert_close(implementation(hidden, keep)[1:], alone)
    assert_close(alone, hidden[1:, :2].mean(dim=1))


def _no_padding(implementation):
    hidden, keep = _rows([4, 4])
    assert_close(implementation(hidden, keep), hidden.mean(dim=1))


def _other_padding(implementation):
    hidden, keep = _rows([5, 2])
    other = hidden.clone()
    other[1, 2:] = 100.0
    assert_close(implementation(other, keep), implementation(hidden, keep))


def _all_alike(implementation):
    _, keep = _rows([5, 2])
    hidden = _draw(2, 1, 6).expand(2, 5, 6)
    assert_close(implementation(hidden, keep), hidden[:, 0])


def _pooled_to_the_bit(implementation):
    hidden, keep = _rows([50, 37, 29])
    assert torch.equal(implementation(hidden, keep), _mean_pool(hidden, keep))


test_mean_pool = exhibit(
    number="museum.3",
    title="the neighbour's padding",
    difficulty=2,
    minutes=8,
    implementations=(
        _mean_pool,
        _mean_by_row,
        lambda hidden, keep: hidden.mean(dim=1),
        lambda hidden, keep: (hidden * keep[..., None]).mean(dim=1),
    ),
    example=lambda: _rows([4, 2]),
    reference=_alone_and_in_company,
    blind={"no padding": lambda calls: all(call["keep"].all() for call in calls)},
    misconceptions=(
        Misconception(
            "no padding",
            "no row of your input has padding, and where there is none the bug is right",
            _no_padding,
        ),
        Misconception(
            "other padding",
            "it catches the bug and lets a variant pass: there, what stands in the padding does not"
            " matter any more, and how much of it there is still does",
            _other_padding,
        ),
        Misconception(
            "all alike",
            "it catches the variant and not the bug: your padding holds the same vector as your"
            " words, so it does not matter which of them are counted",
            _all_alike,
        ),
        Misconception(
            "to the bit",
            "it passes on one right implementation and fails on another: two ways to take a mean"
            " differ in the last bits, or in what they make of a NaN in the padding; neither is a"
            " bug",
            _pooled_to_the_bit,
        ),
    ),
    spoilers=("keep[", "unsqueeze", "assert_close", "sum(dim=1)"),
)


# ---- 4: heads that hold other tokens' numbers


def _split_heads(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _split_by_chunks(x, heads):
    return torch.stack(x.chunk(heads, dim=-1), dim=1)


def _heads_hold_slices(implementation):
    x = torch.arange(24.0).reshape(1, 4, 6)
    split = implementation(x, 2)
    assert_close(split[0, 0], x[0, :, :3])
    assert_close(split[0, 1], x[0, :, 3:])


def _one_head(implementation):
    x = _draw(2, 4, 6)
    assert_close(implementation(x, 1), x[:, None])


def _one_token_split(implementation):
    x = _draw(2, 1, 6)
    assert_close(implementation(x, 3), torch.stack(x.split(2, dim=-1), dim=1))


def _same_bag(implementation):
    x = _draw(2, 4, 6)
    assert_close(implementation(x, 3).flatten().sort().values, x.flatten().sort().values)


def _own_numbers(implementation):
    x = torch.arange(24.0).reshape(1, 4, 6)
    split = implementation(x, 2).transpose(1, 2).flatten(2)  # (B, T, D)
    assert_close(split.sort().values, x)


def _put_back(implementation):
    x = _draw(2, 4, 6)
    assert_close(implementation(x, 3).reshape(x.shape), x)


test_split_heads = exhibit(
    number="museum.4",
    title="heads of other tokens",
    difficulty=2,
    minutes=8,
    implementations=(
        _split_heads,
        _split_by_chunks,
        lambda x, heads: x.reshape(len(x), heads, x.shape[1], -1),
        lambda x, heads: x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2),
    ),
    example=lambda: (_draw(2, 4, 6), 3),
    reference=_heads_hold_slices,
    blind={
        "one head": lambda calls: all(call["heads"] == 1 for call in calls),
        "one token": lambda calls: all(call["x"].shape[1] == 1 for call in calls),
    },
    misconceptions=(
        Misconception(
            "one head",
            "you ask for a single head, and with one head there is nothing to mix up",
            _one_head,
        ),
        Misconception(
            "one token",
            "your input has a single token, so there is no other token whose numbers a head could"
            " hold by mistake",
            _one_token_split,
        ),
        Misconception(
            "same bag",
            "all numbers are still there, in the bug as well: the question is which head and which"
            " token holds each of them",
            _same_bag,
        ),
        Misconception(
            "own numbers",
            "it catches the bug and lets a variant pass: there, each head holds numbers of its own"
            " token, and not those of its slice",
            _own_numbers,
        ),
        Misconception(
            "put back",
            "it fails on the right implementations and passes on the bug: to leave every number"
            " where it lies in memory is just what the bug does",
            _put_back,
        ),
    ),
    spoilers=("transpose", "unflatten", "permute", "arange"),
)


# ---- 5: the wrong axis


def _scores(q: Tensor, k: Tensor) -> Tensor:
    return torch.einsum("bthk,bshk->btsh", q, k) / q.shape[-1] ** 0.5


def _weights_by_head(q, k):
    scores = q.double().transpose(1, 2) @ k.double().permute(0, 2, 3, 1) / q.shape[-1] ** 0.5
    powers = (scores - scores.amax(dim=-1, keepdim=True)).exp()  # (B, H, T, S)
    return (powers / powers.sum(dim=-1, keepdim=True)).permute(0, 2, 3, 1).to(q.dtype)


def _asked(length: int, keys: int, heads: int = 3) -> tuple[Tensor, Tensor]:
    return 2 * _draw(2, length, heads, 4), 2 * _draw(2, keys, heads, 4).flip(-1)


def _queries_give_one(implementation):
    weights = implementation(*_asked(5, 7))
    assert_close(weights.sum(dim=2), torch.ones(2, 5, 3))
    assert (weights.argmax(dim=2) == _scores(*_asked(5, 7)).argmax(dim=2)).all()


def _total(implementation):
    weights = implementation(*_asked(5, 5))
    assert_close(weights.sum(), torch.tensor(2.0 * 5 * 3))


def _keys_get_one(implementation):
    weights = implementation(*_asked(5, 5))
    assert_close(weights.sum(dim=1), torch.ones(2, 5, 3))


def _heads_get_one(implementation):
    weights = implementation(*_asked(5, 5))
    assert_close(weights.sum(dim=-1), torch.ones(2, 5, 5))


def _between(implementation):
    weights = implementation(*_asked(5, 5))
    assert ((weights >= 0) & (weights <= 1)).all()


def _no_scores(implementation):
    q, k = _asked(5, 5)
    assert_close(implementation(q * 0, k), torch.full((2, 5, 5, 3), 1 / 5))


def _weights_to_the_bit(implementation):
    q, k = _asked(9, 9)
    assert torch.equal(implementation(q, k), _scores(q, k).softmax(dim=2))


test_attention_weights = exhibit(
    number="museum.5",
    title="the wrong axis",
    difficulty=2,
    minutes=8,
    implementations=(
        lambda q, k: _scores(q, k).softmax(dim=2),
        _weights_by_head,
        lambda q, k: _scores(q, k).softmax(dim=1),
        lambda q, k: _scores(q, k).softmax(dim=-1),
    ),
    example=lambda: _asked(4, 4),
    reference=_queries_give_one,
    blind={
        "equal scores": lambda calls: not any(call["q"].any() and call["k"].any() for call in calls)
    },
    misconceptions=(
        Misconception(
            "equal scores",
            "all scores of your input are 0, and equal scores give equal weights along any axis of"
            " the same length",
            _no_scores,
        ),
        Misconception(
            "total",
            "the sum over all weights is the same as long as there are as many keys as queries,"
            " whoever shares among whom",
            _total,
        ),
        Misconception(
            "columns",
            "it fails on the right implementations and passes on the bug: it has the same wrong"
            " idea of who has a weight of 1 to give",
            _keys_get_one,
        ),
        Misconception(
            "heads",
            "it fails on the right implementations and passes on a variant: the last axis holds the"
            " heads here, and each of them has weights of its own",
            _heads_get_one,
        ),
        Misconception(
            "between",
            "numbers between 0 and 1 come out of a softmax along any axis",
            _between,
        ),
        Misconception(
            "to the bit",
            "it passes on one right implementation and fails on another: the order of additions"
            " changes the last bits of a float, and that is no bug",
            _weights_to_the_bit,
        ),
    ),
    spoilers=("dim=2", "dim=1", "dim=-1", "assert_close"),
)


# ---- 6: labels on the wrong pieces


def _labels_of_tokens(labels, word_of_token):
    found, previous = [], None
    for word in word_of_token:
        found.append(NOT_ASKED if word is None or word == previous else labels[word])
        previous = word
    return found


def _labels_by_first_place(labels, word_of_token):
    found = [NOT_ASKED] * len(word_of_token)
    for word, label in enumerate(labels):
        found[word_of_token.index(word)] = label
    return found


def _side_by_side(labels, word_of_token):
    rest = len(word_of_token) - 1 - len(labels)
    return [NOT_ASKED, *labels, *[NOT_ASKED] * rest]


def _on_every_piece(labels, word_of_token):
    return [NOT_ASKED if word is None else labels[word] for word in word_of_token]


_WORDS = [None, 0, 1, 1, 1, 2, 3, 3, None]  # [CLS] and [SEP], and four words in seven pieces


def _labels_follow_words(implementation):
    got = implementation([0, 3, 4, 1], _WORDS)
    assert list(got) == [NOT_ASKED, 0, 3, NOT_ASKED, NOT_ASKED, 4, 1, NOT_ASKED, NOT_ASKED]


def _whole_words(implementation):
    assert implementation([0, 3, 4], [None, 0, 1, 2, None]) == [NOT_ASKED, 0, 3, 4, NOT_ASKED]


def _last_in_pieces(implementation):
    got = implementation([0, 3, 4], [None, 0, 1, 2, 2, None])
    assert got == [NOT_ASKED, 0, 3, 4, NOT_ASKED, NOT_ASKED]


def _labels_in_order(implementation):
    got = implementation([0, 3, 4, 1], _WORDS)
    assert [label for label in got if label != NOT_ASKED] == [0, 3, 4, 1]


def _first_pieces(implementation):
    got = implementation([0, 3, 4, 1], _WORDS)
    assert [got[place] for place in (1, 2, 5, 6)] == [0, 3, 4, 1]


def _every_piece(implementation):
    assert implementation([0, 3, 4, 1], _WORDS) == _on_every_piece([0, 3, 4, 1], _WORDS)


def _pieces(calls: Calls) -> list[list[int]]:
    """For each call, the words that have several pieces."""
    words = [call["word_of_token"] for call in calls]
    return [sorted({w for w in row if w is not None and row.count(w) > 1}) for row in words]


test_token_labels = exhibit(
    number="museum.6",
    title="labels on the wrong pieces",
    difficulty=2,
    minutes=9,
    implementations=(_labels_of_tokens, _labels_by_first_place, _side_by_side, _on_every_piece),
    example=lambda: ([0, 3, 4, 1], _WORDS),
    reference=_labels_follow_words,
    blind={
        "whole words": lambda calls: not any(_pieces(calls)),
        "last in pieces": lambda calls: all(
            words in ([], [len(call["labels"]) - 1])
            for words, call in zip(_pieces(calls), calls, strict=True)
        ),
    },
    misconceptions=(
        Misconception(
            "whole words",
            "no word of your input is cut into pieces, and as long as a word is a token the bug is"
            " right",
            _whole_words,
        ),
        Misconception(
            "last in pieces",
            "only the last word of your input is cut into pieces, and a shift shows in what"
            " follows",
            _last_in_pieces,
        ),
        Misconception(
            "in order",
            "the bug has the right labels in the right order, too: look at the places where they"
            " stand",
            _labels_in_order,
        ),
        Misconception(
            "first pieces",
            "it catches the bug and lets a variant pass, in which every piece of a word is asked"
            " for: look at the other pieces as well",
            _first_pieces,
        ),
        Misconception(
            "every piece",
            "it fails on the right implementations and passes on a variant: it wants a label on"
            " every piece of a word, and the promise has one label a word",
            _every_piece,
        ),
    ),
    spoilers=("-100", "NOT_ASKED", "index("),
)


# ---- 7: the tokenizer of another model


def _read_vocabulary(text):
    return {token: place for place, token in enumerate(text.removesuffix("\n").split("\n"))}


def _read_line_by_line(text):
    vocabulary = {}
    for line in io.StringIO(text, newline="\n"):
        vocabulary[line.removesuffix("\n")] = len(vocabulary)
    return vocabulary


_STRANGE = "\u2028"  # LINE SEPARATOR, a character like others to a tokenizer


def _text_of(*tokens: str) -> str:
    return "".join(f"{token}\n" for token in tokens)


def _ids_are_lines(implementation):
    tokens = ["[PAD]", "the", _STRANGE, "river", "bank"]
    vocabulary = implementation(_text_of(*tokens))
    assert [vocabulary.get(token) for token in tokens] == [0, 1, 2, 3, 4]


def _plain_tokens(implementation):
    vocabulary = implementation(_text_of("[PAD]", "the", "river"))
    assert vocabulary == {"[PAD]": 0, "the": 1, "river": 2}


def _before_the_strange(implementation):
    vocabulary = implementation(_text_of("[PAD]", "the", _STRANGE, "river"))
    assert (vocabulary["[PAD]"], vocabulary["the"]) == (0, 1)


def _size(implementation):
    assert len(implementation(_text_of("[PAD]", "the", _STRANGE, "river"))) == 4


def _strange_inside(implementation):
    vocabulary = implementation(_text_of("[PAD]", f"the{_STRANGE}", "river"))
    assert vocabulary["river"] == 2


test_vocabulary = exhibit(
    number="museum.7",
    title="the tokenizer of another model",
    difficulty=3,
    minutes=9,
    implementations=(
        _read_vocabulary,
        _read_line_by_line,
        lambda text: {token: place for place, token in enumerate(text.splitlines())},
        lambda text: {
            token: place
            for place, token in enumerate(line for line in text.split("\n") if line.strip())
        },
    ),
    example=lambda: (_text_of("[PAD]", "the", _STRANGE, "river"),),
    reference=_ids_are_lines,
    blind={
        "plain": lambda calls: all(
            call["text"].splitlines() == call["text"].removesuffix("\n").split("\n")
            for call in calls
        )
    },
    misconceptions=(
        Misconception(
            "plain",
            "your file holds tokens that every way of reading lines agrees on, and the vocabulary"
            " of a model holds others, too",
            _plain_tokens,
        ),
        Misconception(
            "before",
            "the strange token is there, and you look at those before it: a shift shows in what"
            " follows",
            _before_the_strange,
        ),
        Misconception(
            "size",
            "the number of tokens is right in the bug as well: a line too many is an empty one, and"
            " all empty ones share an entry",
            _size,
        ),
        Misconception(
            "inside",
            "it catches the bug and lets a variant pass, which leaves out a line that only looks"
            " empty: what if the strange character is the whole token?",
            _strange_inside,
        ),
    ),
    spoilers=("2028", "splitlines", "separator", "\\n"),
)


# ---- 8: the mean of means


def _perplexity(losses):
    return math.exp(torch.cat(list(losses)).mean().item())


def _perplexity_by_sums(losses):
    total = math.fsum(loss for batch in losses for loss in batch.tolist())
    return math.exp(total / sum(len(batch) for batch in losses))


def _batches(*sizes: int) -> list[Tensor]:
    return [3 + _draw(size).abs() * place for place, size in enumerate(sizes, start=1)]


def _batches_do_not_matter(implementation):
    losses = _batches(9, 2, 5)
    together = implementation(losses)
    assert math.isclose(together, implementation([torch.cat(losses)]), rel_tol=1e-4)
    assert math.isclose(together, _perplexity(losses), rel_tol=1e-4)


def _equal_batches(implementation):
    losses = _batches(4, 4)
    assert math.isclose(implementation(losses), _perplexity(losses), rel_tol=1e-4)


def _equal_losses(implementation):
    losses = [torch.full((9,), 2.0), torch.full((3,), 2.0)]
    assert math.isclose(implementation(losses), math.exp(2.0), rel_tol=1e-4)


def _roughly(implementation):
    losses = [torch.full((100,), 2.8), torch.full((60,), 2.9)]
    assert abs(implementation(losses) - _perplexity(losses)) < 1.0


def _mean_of_means(losses):
    return math.exp(sum(batch.mean().item() for batch in losses) / len(losses))


def _mean_of_means_expected(implementation):
    losses = [torch.full((9,), 2.0), torch.full((3,), 4.0)]
    assert math.isclose(implementation(losses), math.exp(3.0), rel_tol=1e-4)


def _perplexity_to_the_bit(implementation):
    losses = _batches(90, 20, 50)
    assert implementation(losses) == _perplexity(losses)


test_perplexity = exhibit(
    number="museum.8",
    title="the mean of means",
    difficulty=2,
    minutes=8,
    implementations=(
        _perplexity,
        _perplexity_by_sums,
        _mean_of_means,
        lambda losses: sum(math.exp(batch.mean().item()) for batch in losses) / len(losses),
    ),
    example=lambda: (_batches(4, 2),),
    reference=_batches_do_not_matter,
    blind={
        "equal losses": lambda calls: all(
            torch.cat(list(call["losses"])).unique().numel() == 1 for call in calls
        ),
        "equal batches": lambda calls: all(
            len({len(batch) for batch in call["losses"]}) == 1 for call in calls
        ),
    },
    misconceptions=(
        Misconception(
            "equal losses",
            "all losses of your input are the same number, and any mean of equal numbers is right",
            _equal_losses,
        ),
        Misconception(
            "equal batches",
            "all batches of your input have the same number of tokens, and then the mean of means"
            " is the mean",
            _equal_batches,
        ),
        Misconception(
            "mean of means",
            "it fails on the right implementations and passes on the bug: the result that it wants"
            " gives each batch the same weight",
            _mean_of_means_expected,
        ),
        Misconception(
            "roughly",
            "your input shows the bug, and your tolerance hides it: how far apart are the two"
            " results for these losses?",
            _roughly,
        ),
        Misconception(
            "to the bit",
            "it passes on one right implementation and fails on another: sums in another order"
            " differ in the last bits, and that is no bug",
            _perplexity_to_the_bit,
        ),
    ),
    spoilers=("torch.cat", "rel_tol", "isclose", "fsum"),
)
