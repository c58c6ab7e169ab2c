"""Checks of lab 05: masked language modelling."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.check.base import Exercise, Misconception
from encoder_course.check.evidence import Stopped
from encoder_course.check.running import call
from encoder_course.text.masking import NOT_ASKED

# ---- lab05.1: mask_tokens


def _replace(ids, chosen, vocabulary_size, mask_id, generator, shares=(0.8, 0.1)):
    draw = torch.rand(ids.shape, generator=generator)
    random_ids = torch.randint(vocabulary_size, ids.shape, generator=generator)
    inputs = ids.masked_fill(chosen & (draw < shares[0]), mask_id)
    return torch.where(chosen & (draw >= shares[0]) & (draw < sum(shares)), random_ids, inputs)


def _mask_with(
    rate: float = 0.15, shares: tuple[float, float] = (0.8, 0.1), missing: int = 0
) -> Callable:
    """Masking with some rate and shares, and random ids that leave the `missing` last ones out."""

    def mask(ids, maskable, vocabulary_size, mask_id, generator):
        chosen = (torch.rand(ids.shape, generator=generator) < rate) & maskable
        inputs = _replace(ids, chosen, vocabulary_size - missing, mask_id, generator, shares)
        return inputs, ids.masked_fill(~chosen, NOT_ASKED)

    return mask


_mask_tokens = _mask_with()


def _mask_specials(ids, maskable, vocabulary_size, mask_id, generator):
    return _mask_tokens(ids, torch.ones_like(maskable), vocabulary_size, mask_id, generator)


def _labels_everywhere(ids, maskable, vocabulary_size, mask_id, generator):
    return _mask_tokens(ids, maskable, vocabulary_size, mask_id, generator)[0], ids.clone()


def _labels_of_inputs(ids, maskable, vocabulary_size, mask_id, generator):
    inputs, labels = _mask_tokens(ids, maskable, vocabulary_size, mask_id, generator)
    return inputs, inputs.masked_fill(labels == NOT_ASKED, NOT_ASKED)


def _labels_where_changed(ids, maskable, vocabulary_size, mask_id, generator):
    inputs, _ = _mask_tokens(ids, maskable, vocabulary_size, mask_id, generator)
    return inputs, ids.masked_fill(inputs == ids, NOT_ASKED)


def _labels_at_mask(ids, maskable, vocabulary_size, mask_id, generator):
    inputs, _ = _mask_tokens(ids, maskable, vocabulary_size, mask_id, generator)
    return inputs, ids.masked_fill(inputs != mask_id, NOT_ASKED)


def _one_random_token(ids, maskable, vocabulary_size, mask_id, generator):
    inputs, labels = _mask_tokens(ids, maskable, vocabulary_size, mask_id, generator)
    return inputs.masked_fill((inputs != ids) & (inputs != mask_id), 0), labels


def _labels_shifted(ids, maskable, vocabulary_size, mask_id, generator):
    inputs, labels = _mask_tokens(ids, maskable, vocabulary_size, mask_id, generator)
    return inputs, labels.roll(-1, dims=1)


def _share_of_all_positions(ids, maskable, vocabulary_size, mask_id, generator):
    rate = 0.15 * maskable.numel() / int(maskable.sum())
    return _mask_with(rate)(ids, maskable, vocabulary_size, mask_id, generator)


def _same_places_in_every_row(ids, maskable, vocabulary_size, mask_id, generator):
    chosen = (torch.rand(ids.shape[1], generator=generator) < 0.15) & maskable
    inputs = _replace(ids, chosen, vocabulary_size, mask_id, generator)
    return inputs, ids.masked_fill(~chosen, NOT_ASKED)


def _replaced_where_not_asked(ids, maskable, vocabulary_size, mask_id, generator):
    _, labels = _mask_tokens(ids, maskable, vocabulary_size, mask_id, generator)
    return _replace(ids, maskable, vocabulary_size, mask_id, generator), labels


def _no_generator(ids, maskable, vocabulary_size, mask_id, generator):
    return _mask_tokens(ids, maskable, vocabulary_size, mask_id, None)


def _own_generator(ids, maskable, vocabulary_size, mask_id, generator):
    own = torch.Generator().manual_seed(0)
    return _mask_tokens(ids, maskable, vocabulary_size, mask_id, own)


def _see_masking(answer: Callable, seed: int = 0) -> dict[str, Any]:
    """Mask a million tokens: shares rounded to whole percent are then beyond the reach of luck."""
    generator = torch.Generator().manual_seed(seed)
    vocabulary_size, mask_id = 400 + seed % 50, 4 + seed % 3
    few = torch.randint(10, vocabulary_size, (50, 500), generator=generator)
    ids = few.repeat(40, 1)  # (2000, 500)
    lengths = torch.randint(400, 500, (len(ids), 1), generator=generator)
    places = torch.arange(500)
    maskable = (places > 0) & (places < lengths)  # [CLS] in front, padding behind
    around = vocabulary_size, mask_id
    inputs, labels = _two_like(ids, answer(ids, maskable, *around, _seeded(seed)))

    asked = labels != NOT_ASKED
    changed, hidden = inputs != ids, inputs == mask_id
    drawn = inputs[asked & changed & ~hidden]
    several = len(drawn.unique()) > 1
    once, again, other = (
        _two_like(few, call(answer, few, maskable[:50], *around, _seeded(number)))[0]
        for number in (1, 1, 2)
    )
    count = int(asked.sum())
    return {
        "percent of the maskable tokens that are asked": _percent(asked & maskable, maskable.sum()),
        "asked tokens that are not maskable": bool((asked & ~maskable).any()),
        "labels that are not the true token": bool((asked & (labels != ids)).any()),
        "tokens that are changed but not asked": bool((changed & ~asked).any()),
        "percent of the asked that read [MASK]": _percent(hidden & asked, count),
        "percent of the asked that read another token": round(100 * len(drawn) / max(count, 1)),
        "smallest and largest random token": drawn.aminmax() if several else None,
        "all rows ask at the same places": bool((asked[:, 1:400] == asked[0, 1:400]).all()),
        "the same generator draws the same": torch.equal(once, again),
        "another generator draws the same": torch.equal(once, other),
    }


def _two_like(ids: Tensor, found: Any) -> tuple[Tensor, Tensor]:
    """The two tensors that were asked for; `Stopped` says what came instead."""
    fits = isinstance(found, tuple | list) and len(found) == 2
    if not fits or any(getattr(part, "shape", None) != ids.shape for part in found):
        raise Stopped("two tensors of the shape of `ids` are needed: what is seen, what is asked")
    if any(part.dtype != ids.dtype for part in found):
        raise Stopped("inputs and labels are token numbers: both need the dtype of `ids`")
    return found[0], found[1]


def _percent(some: Tensor, of: Tensor | int) -> int:
    return round(100 * int(some.sum()) / max(int(of), 1))


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


mask_tokens = Exercise(
    number="lab05.1",
    title="mask_tokens",
    difficulty=3,
    minutes=15,
    reference=_mask_tokens,
    observe=_see_masking,
    hidden=_see_masking,
    misconceptions=(
        Misconception(
            "special tokens masked",
            "[CLS] and padding are asked too: the model would learn to answer with padding, which"
            " is not language",
            _mask_specials,
        ),
        Misconception(
            "labels everywhere",
            "every token has a label, also those in plain sight: the model is paid for copying",
            _labels_everywhere,
        ),
        Misconception(
            "labels of the inputs",
            "the labels were taken after the replacement: the answer to [MASK] would be [MASK]",
            _labels_of_inputs,
        ),
        Misconception(
            "labels where changed",
            "tokens that were chosen and stay as they are have no label: then whatever can be read"
            " is true, and there is no reason to check it",
            _labels_where_changed,
        ),
        Misconception(
            "labels at [MASK]",
            "only places that read [MASK] have a label: the model is asked about the other two"
            " kinds as well",
            _labels_at_mask,
        ),
        Misconception(
            "labels shifted",
            "the labels stand one place too far to the left: that is how a model that writes from"
            " left to right is asked, and here input and answer share a place",
            _labels_shifted,
        ),
        Misconception(
            "15 % of all positions",
            "too many tokens are asked: padding was counted when the number of questions was set",
            _share_of_all_positions,
        ),
        Misconception(
            "always [MASK]",
            "every chosen token reads [MASK]: what the model meets after pretraining, text without"
            " any [MASK], would be new to it",
            _mask_with(shares=(1.0, 0.0)),
        ),
        Misconception(
            "a tenth of the rest",
            "too few random tokens, too many untouched: the second share was taken of what the"
            " first had left over",
            _mask_with(shares=(0.8, 0.02)),
        ),
        Misconception(
            "81, 10 and 9",
            "the shares are a little off: two draws one after the other, the second only where the"
            " first said no, do not give the shares that were asked for",
            _mask_with(shares=(0.81, 0.1)),
        ),
        Misconception(
            "81, 9 and 10",
            "the shares are a little off: nine tenths of nine tenths are not eight tenths",
            _mask_with(shares=(0.81, 0.09)),
        ),
        Misconception(
            "masks overwritten",
            "too few tokens read [MASK]: random tokens were put on top of a tenth of them, since"
            " the two draws know nothing of each other",
            _mask_with(shares=(0.72, 0.1)),
        ),
        Misconception(
            "never untouched",
            "no chosen token stays as it is: a visible word that the model is asked about would"
            " always be false",
            _mask_with(shares=(0.8, 0.2)),
        ),
        Misconception(
            "last token left out",
            "the last token of the vocabulary is never drawn at random: an upper bound is already"
            " excluded",
            _mask_with(missing=1),
        ),
        Misconception(
            "one random token",
            "all random tokens are one and the same: a single one was drawn for all places",
            _one_random_token,
        ),
        Misconception(
            "one draw for all rows",
            "all rows ask at the same places: each row needs draws of its own",
            _same_places_in_every_row,
        ),
        Misconception(
            "replaced where not asked",
            "tokens that nobody is asked about are replaced as well: the text around the questions"
            " is destroyed",
            _replaced_where_not_asked,
        ),
        Misconception(
            "no generator",
            "the same generator does not give the same masks: some draw ignores `generator`, so"
            " nobody can repeat the run",
            _no_generator,
        ),
        Misconception(
            "own generator",
            "every call gives the same masks, whatever `generator` is handed over: an epoch would"
            " ask the very questions of the epoch before",
            _own_generator,
        ),
    ),
    spoilers=("torch.where", "masked_fill", "0.9", "randint"),
)

# ---- lab05.2: choose_words


def _first_places(continues: Tensor) -> Tensor:
    places = torch.arange(continues.shape[1]).expand_as(continues)
    return places.masked_fill(continues, 0).cummax(1).values  # (B, T)


def _choose_words(continues, maskable, draw, rate):
    return (draw.gather(1, _first_places(continues)) < rate) & maskable


def _choose_by(reduce: str) -> Callable:
    """Choose words by some number made of the draws of all their pieces."""

    def choose(continues, maskable, draw, rate):
        words = (~continues).cumsum(1) - 1
        joined = torch.zeros_like(draw).scatter_reduce(1, words, draw, reduce, include_self=False)
        return (joined.gather(1, words) < rate) & maskable

    return choose


def _choose_by_word_number(continues, maskable, draw, rate):
    return (draw.gather(1, (~continues).cumsum(1) - 1) < rate) & maskable


def _choose_before(continues, maskable, draw, rate):
    return (draw.gather(1, (_first_places(continues) - 1).clamp(min=0)) < rate) & maskable


def _choose_flat(continues, maskable, draw, rate):
    words = (~continues.flatten()).cumsum(0) - 1
    draws = draw.flatten()[words].view_as(draw)
    return (draws < rate) & maskable


def _word_cases(seed: int = 0) -> dict[str, tuple]:
    generator = torch.Generator().manual_seed(seed)
    continues = torch.rand(6, 40, generator=generator) < 0.5
    maskable = torch.ones_like(continues)
    continues[:, [0, 1, -1]] = maskable[:, [0, -1]] = False  # [CLS] and [SEP]
    draw = torch.rand(continues.shape, generator=generator)
    draw[0, 0], draw[1, -1] = 0.01, 0.02
    few = torch.tensor([[0, 0, 1, 1, 0, 0]]).bool()
    low_later = torch.tensor([[0.01, 0.6 + seed % 9 / 100, 0.1, 0.2, 0.05, 0.02]])
    return {
        "one word of three pieces, then one of one piece": (few, maskable[:1, -6:], low_later, 0.3),
        "six rows of words of any length": (continues, maskable, draw, 0.3),
        "the same rows with a rate of 0": (continues, maskable, draw, 0.0),
    }


choose_words = Exercise(
    number="lab05.2",
    title="choose_words",
    difficulty=3,
    minutes=12,
    reference=_choose_words,
    cases=_word_cases,
    hidden=_word_cases,
    misconceptions=(
        Misconception(
            "pieces on their own",
            "each piece is chosen by its own draw: the other pieces of its word stay in view and"
            " give it away",
            lambda continues, maskable, draw, rate: (draw < rate) & maskable,
        ),
        Misconception(
            "any piece",
            "a word is chosen as soon as one of its pieces draws low: the more pieces, the more"
            " often it is asked",
            _choose_by("amin"),
        ),
        Misconception(
            "every piece",
            "a word is chosen only where all its pieces draw low: long words are hardly ever asked",
            _choose_by("amax"),
        ),
        Misconception(
            "mean of the pieces",
            "a word is chosen by the mean of its draws: a mean of many draws lies near the middle,"
            " so long words are hardly ever asked",
            _choose_by("mean"),
        ),
        Misconception(
            "beginnings only",
            "only the first piece of a chosen word is asked: the rest stays in view and gives it"
            " away",
            lambda continues, maskable, draw, rate: (
                _choose_words(continues, maskable, draw, rate) & ~continues
            ),
        ),
        Misconception(
            "draw of the word's number",
            "the third word took the draw that stands at the third place: a word's number is not"
            " the place where it begins",
            _choose_by_word_number,
        ),
        Misconception(
            "the piece before",
            "the draw is that of the piece in front of the word: off by one place",
            _choose_before,
        ),
        Misconception(
            "words counted through all rows",
            "draws were looked up by the number of a word, counted through all rows without a new"
            " start: they belong to other words",
            _choose_flat,
        ),
        Misconception(
            "special tokens too",
            "[CLS] or [SEP] is chosen: `maskable` has the last word",
            lambda continues, maskable, draw, rate: draw.gather(1, _first_places(continues)) < rate,
        ),
    ),
    spoilers=("cummax", "gather", "& maskable"),
)

# ---- lab05.3: masked_loss


def _masked_loss(logits, labels):
    asked = labels != NOT_ASKED
    total = F.cross_entropy(logits[asked], labels[asked], reduction="sum")
    return total / max(int(asked.sum()), 1)


def _loss_over_all(logits, labels):
    return _loss_sum(logits, labels) / labels.numel()


def _loss_sum(logits, labels):
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")


def _loss_not_a_number(logits, labels):
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())


def _loss_row_means(logits, labels):
    return torch.stack([_masked_loss(*row) for row in zip(logits, labels, strict=True)]).mean()


def _loss_shifted(logits, labels):
    return _masked_loss(logits[:, :-1], labels[:, 1:])


def _loss_twice_normalised(logits, labels):
    return _masked_loss(logits.softmax(-1), labels)


def _loss_wrapped(logits, labels):
    picked = logits.log_softmax(-1).gather(-1, (labels % logits.shape[-1])[..., None])
    return -picked.mean()


def _loss_without_token_0(logits, labels):
    return _masked_loss(logits, labels.masked_fill(labels <= 0, NOT_ASKED))


def _loss_constant(logits, labels):
    asked = labels != NOT_ASKED
    return _masked_loss(logits, labels) if asked.any() else torch.tensor(0.0)


def _loss_batch_axis(logits, labels):
    asked = labels != NOT_ASKED
    picked = logits.log_softmax(1)[asked].gather(1, labels[asked][:, None])
    return -picked.sum() / max(int(asked.sum()), 1)


def _see_loss(answer: Callable, seed: int = 3) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 5, 7, generator=generator) * 2
    labels = torch.randint(1, 7, (3, 5), generator=generator)
    labels[0, 1:] = labels[1, ::2] = NOT_ASKED
    labels[2, 0], labels[2, 3] = NOT_ASKED, 0
    nothing = torch.full_like(labels, NOT_ASKED)

    free = logits.clone().requires_grad_()
    loss = call(answer, free, labels)
    none = call(answer, free, nothing)
    return {
        "a batch whose rows ask for one, two and four tokens": loss,
        "a batch that asks for nothing": none,
        "a step on a batch that asks for nothing is possible": bool(
            getattr(none, "requires_grad", False)
        ),
    }


masked_loss = Exercise(
    number="lab05.3",
    title="masked_loss",
    difficulty=2,
    minutes=10,
    reference=_masked_loss,
    observe=_see_loss,
    hidden=_see_loss,
    misconceptions=(
        Misconception(
            "mean over all tokens",
            "the sum is divided by the number of all tokens: the loss looks good because little"
            " is asked",
            _loss_over_all,
        ),
        Misconception(
            "sum",
            "this is a sum: batches that ask for more tokens get the larger loss",
            _loss_sum,
        ),
        Misconception(
            "nothing divided by nothing",
            "right where something is asked, but a batch that asks for nothing gives NaN, and one"
            " NaN is enough to spoil all weights",
            _loss_not_a_number,
        ),
        Misconception(
            "mean of row means",
            "every row weighs the same: a token asked alone in its row counts more than a token"
            " asked beside others",
            _loss_row_means,
        ),
        Misconception(
            "shifted",
            "the answer at a place is compared with the label of the next one: so a model is asked"
            " that writes from left to right",
            _loss_shifted,
        ),
        Misconception(
            "normalised twice",
            "probabilities were handed to a loss that makes probabilities itself: then even"
            " certainty has a loss far from 0",
            _loss_twice_normalised,
        ),
        Misconception(
            "-100 taken for a token",
            "places where nothing is asked count: -100 was used as the number of a token",
            _loss_wrapped,
        ),
        Misconception(
            "token 0 left out",
            "a label of 0 is not counted, but it is a token like any other: only -100 means that"
            " nothing is asked",
            _loss_without_token_0,
        ),
        Misconception(
            "constant",
            "the loss of a batch without questions hangs on no weight: the backward pass of such a"
            " step would stop the training",
            _loss_constant,
        ),
        Misconception(
            "over the places",
            "the probabilities sum to 1 over the places of a row: they belong to the tokens of the"
            " vocabulary",
            _loss_batch_axis,
        ),
    ),
    spoilers=("cross_entropy", "logits[", 'reduction="sum"'),
)

# ---- lab05.4: TiedHead


class _TiedHead(nn.Module):
    """The right head; the wrong ones are written as a difference to it."""

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        dim = embedding.embedding_dim
        self.transform = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))
        self.table = embedding

    def forward(self, hidden: Tensor) -> Tensor:
        return self.scores(self.norm(F.gelu(self.transform(hidden))))

    def scores(self, ready: Tensor) -> Tensor:
        return ready @ self.table.weight.T + self.bias


class _Copied(_TiedHead):
    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__(nn.Embedding.from_pretrained(embedding.weight.clone(), freeze=False))


class _OwnMatrix(_TiedHead):
    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__(nn.Embedding(*embedding.weight.shape))
        nn.init.normal_(self.table.weight, std=0.02)


class _Detached(_TiedHead):
    def scores(self, ready: Tensor) -> Tensor:
        return ready @ self.table.weight.detach().T + self.bias


class _NewParameter(_TiedHead):
    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__(nn.Embedding(*embedding.weight.shape))
        self.table.weight = nn.Parameter(embedding.weight)


class _PlainBias(_TiedHead):
    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__(embedding)
        del self.bias
        self.bias = torch.zeros(embedding.num_embeddings)


class _NoBias(_TiedHead):
    def scores(self, ready: Tensor) -> Tensor:
        return ready @ self.table.weight.T


class _NoTransform(_TiedHead):
    def forward(self, hidden: Tensor) -> Tensor:
        return self.scores(self.norm(F.gelu(hidden)))


class _NoActivation(_TiedHead):
    def forward(self, hidden: Tensor) -> Tensor:
        return self.scores(self.norm(self.transform(hidden)))


class _Cut(_TiedHead):
    def forward(self, hidden: Tensor) -> Tensor:
        return self.scores(self.norm(self.transform(hidden).relu()))


class _NoNorm(_TiedHead):
    def forward(self, hidden: Tensor) -> Tensor:
        return self.scores(F.gelu(self.transform(hidden)))


class _NormFirst(_TiedHead):
    def forward(self, hidden: Tensor) -> Tensor:
        return self.scores(F.gelu(self.norm(self.transform(hidden))))


class _Probabilities(_TiedHead):
    def scores(self, ready: Tensor) -> Tensor:
        return super().scores(ready).softmax(-1)


def _see_head(answer: Callable, seed: int = 5) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    embedding = nn.Embedding(9, 6)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        embedding.weight.copy_(torch.randn(9, 6, generator=generator))
        head = answer(embedding)
        start = head.bias.clone()
        for part in (
            head.transform.weight,
            head.transform.bias,
            head.norm.weight,
            head.norm.bias,
            head.bias,
        ):
            part.copy_(torch.randn(part.shape, generator=generator))
    hidden = torch.randn(2, 3, 6, generator=generator)
    logits = call(head, hidden)
    logits.sum().backward()
    own = [weight for weight in head.parameters() if weight is not embedding.weight]
    with torch.no_grad():
        embedding.weight.mul_(2)
    return {
        "scores of two rows of three tokens": logits,
        "bias at the start": start,
        "scores after the embedding has changed": call(head, hidden),
        "weights beside the embedding": sum(weight.numel() for weight in own),
        "the scores teach the embedding": embedding.weight.grad is not None,
    }


TiedHead = Exercise(
    number="lab05.4",
    title="TiedHead",
    difficulty=3,
    minutes=12,
    reference=_TiedHead,
    observe=_see_head,
    hidden=_see_head,
    tolerance=1e-3,
    misconceptions=(
        Misconception(
            "copied",
            "the head keeps a copy of the embedding: it was equal once, and the first step of"
            " training parts the two",
            _Copied,
        ),
        Misconception(
            "own matrix",
            "the last matrix is a new one, as large as the embedding: nothing is tied",
            _OwnMatrix,
        ),
        Misconception(
            "detached",
            "the scores are right, but no gradient reaches the embedding through the head: half of"
            " what ties are good for is lost",
            _Detached,
        ),
        Misconception(
            "new parameter",
            "the head has made a parameter of its own out of the embedding's: the numbers are"
            " shared, the gradient is not, and an optimizer moves them twice",
            _NewParameter,
        ),
        Misconception(
            "plain bias",
            "the bias is a tensor that no optimizer finds: it stays 0 however long one trains",
            _PlainBias,
        ),
        Misconception(
            "no bias",
            "the bias is not used: then a token cannot be likely just because it is frequent",
            _NoBias,
        ),
        Misconception(
            "no transform",
            "the hidden state is compared with the embedding as it is: the layer that turns the"
            " one into the other is not used",
            _NoTransform,
        ),
        Misconception(
            "no activation",
            "the transformation is linear: the activation between it and the norm is missing",
            _NoActivation,
        ),
        Misconception(
            "cut at zero",
            "negative numbers are cut off at 0: BERT bends them with GELU",
            _Cut,
        ),
        Misconception(
            "no norm",
            "the norm is not used: the scores grow with the length of the hidden state",
            _NoNorm,
        ),
        Misconception(
            "norm before the activation",
            "the norm comes too early: what meets the embedding has to have a known length",
            _NormFirst,
        ),
        Misconception(
            "probabilities",
            "these are probabilities: the loss turns scores into probabilities itself",
            _Probabilities,
        ),
    ),
    spoilers=("embedding.weight", ".T", "F.linear"),
)

# ---- lab05.5: plateau

plateau = Exercise(
    number="lab05.5",
    title="plateau",
    difficulty=2,
    minutes=5,
    reference=0.5 * math.log(2) + 0.5 * math.log(1024),
    tolerance=0.02,
    misconceptions=(
        Misconception(
            "knows nothing",
            "that is the loss of a model that finds all words equally likely, and this one has"
            " counted them",
            math.log(513),
        ),
        Misconception(
            "bits",
            "in bits, yes: the loss of PyTorch counts in nats",
            5.5,
        ),
        Misconception(
            "the rare half",
            "each rare word was given its share among the rare ones: its share is one of the whole"
            " text",
            0.5 * math.log(2) + 0.5 * math.log(512),
        ),
        Misconception(
            "surprise of the mean",
            "the probabilities were averaged before the logarithm: the loss is the mean of"
            " surprises",
            -math.log(0.5 * 0.5 + 0.5 / 1024),
        ),
        Misconception(
            "one word, one vote",
            "all words of the vocabulary count alike here, but every second question is about one"
            " and the same word",
            (math.log(2) + 512 * math.log(1024)) / 513,
        ),
        Misconception(
            "perplexity",
            "that is the perplexity: among how many equally likely words the model hesitates",
            math.exp(0.5 * math.log(2) + 0.5 * math.log(1024)),
        ),
        Misconception(
            "the frequent half",
            "only the frequent word was counted: the other half of the questions is much harder",
            0.5 * math.log(2),
        ),
    ),
    spoilers=("3.8", "log(", "1024"),
)

# ---- lab05.6: learning_rate


def _rate_by(share: Callable[[int, int], float]) -> Callable:
    """The rate whose way down has gone `share(n, length)` at its step number n, from 0."""

    def rate(step, steps, warmup, peak, floor):
        if step < warmup:
            return peak * (step + 1) / warmup
        done = share(step - warmup, steps - warmup)
        return peak * (floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2)

    return rate


_learning_rate = _rate_by(lambda n, length: (n + 1) / length)


def _rate_from_zero(step, steps, warmup, peak, floor):
    if step < warmup:
        return peak * step / warmup
    return _learning_rate(step, steps, warmup, peak, floor)


def _rate_without_warmup(step, steps, warmup, peak, floor):
    return _learning_rate(step, steps, 0, peak, floor)


def _rate_in_a_line(step, steps, warmup, peak, floor):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (1 - (1 - floor) * (step - warmup + 1) / (steps - warmup))


def _rate_restarted(step, steps, warmup, peak, floor):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (floor + (1 - floor) * (1 + math.cos(math.pi * (step + 1) / steps)) / 2)


def _rate_too_high(step, steps, warmup, peak, floor):
    rate = _learning_rate(step, steps, warmup, peak, 0.0)
    return rate if step < warmup else rate + peak * floor


def _rate_cut_off(step, steps, warmup, peak, floor):
    rate = _learning_rate(step, steps, warmup, peak, 0.0)
    return rate if step < warmup else max(rate, peak * floor)


def _rate_absolute_floor(step, steps, warmup, peak, floor):
    return _learning_rate(step, steps, warmup, peak, floor / peak)


def _rate_to_zero(step, steps, warmup, peak, floor):
    return _learning_rate(step, steps, warmup, peak, 0.0)


def _rate_share(step, steps, warmup, peak, floor):
    return _learning_rate(step, steps, warmup, 1.0, floor)


def _see_rates(answer: Callable, seed: int = 0) -> dict[str, Any]:
    steps, warmup, peak, floor = 20 + seed % 7, 5 + seed % 3, 0.02 + seed % 5 / 100, 0.25
    return {
        f"all {steps} steps, {warmup} of them warm-up": [
            call(answer, step, steps, warmup, peak, floor) for step in range(steps)
        ],
        "steps of a run without warm-up": [
            call(answer, step, 8, 0, 2 * peak, floor) for step in range(8)
        ],
    }


learning_rate = Exercise(
    number="lab05.6",
    title="learning_rate",
    difficulty=2,
    minutes=10,
    reference=_learning_rate,
    observe=_see_rates,
    hidden=_see_rates,
    misconceptions=(
        Misconception(
            "first step of size 0",
            "the first step has size 0 and is lost: steps are counted from 0, but the ramp does"
            " not begin there",
            _rate_from_zero,
        ),
        Misconception(
            "no warm-up",
            "the run begins at its highest rate: the ramp is missing",
            _rate_without_warmup,
        ),
        Misconception(
            "one step late",
            "the first step after the ramp still has the peak, and the last one has not arrived at"
            " the floor: every step of the way down comes one too late",
            _rate_by(lambda n, length: n / length),
        ),
        Misconception(
            "peak twice",
            "the first step after the ramp has the peak once more: it has gone a share of the way"
            " already",
            _rate_by(lambda n, length: n / (length - 1)),
        ),
        Misconception(
            "a line down",
            "the way down is a straight line, and half a wave was asked for",
            _rate_in_a_line,
        ),
        Misconception(
            "a wave over the whole run",
            "there is a drop right after the ramp: the wave began at the first step of the run, and"
            " not where the ramp ends",
            _rate_restarted,
        ),
        Misconception(
            "a whole wave",
            "the rate comes up again at the end: that is a whole wave, not half of one",
            _rate_by(lambda n, length: 2 * (n + 1) / length),
        ),
        Misconception(
            "floor added",
            "the floor was added to everything, so the rate exceeds its peak after the ramp",
            _rate_too_high,
        ),
        Misconception(
            "cut off at the floor",
            "the wave runs towards 0 and is cut off at the floor: it has to arrive there at the"
            " last step",
            _rate_cut_off,
        ),
        Misconception(
            "floor as a rate",
            "the floor was taken for a learning rate: it is a share of the peak",
            _rate_absolute_floor,
        ),
        Misconception(
            "down to 0",
            "the run ends with a rate of 0: the floor is not used",
            _rate_to_zero,
        ),
        Misconception(
            "a share",
            "this is the share of the peak, between 0 and 1: the learning rate itself was asked",
            _rate_share,
        ),
    ),
    spoilers=("math.cos", "math.pi", "step + 1"),
)

# ---- lab05.7: evaluate

KINDS = ("[MASK]", "another token", "untouched")


def _evaluate(model, batches, mask_id):
    return _means(*_answers(model, batches, mask_id))


def _means(surprises: Tensor, kinds: Tensor) -> dict[str, float]:
    found = {"all": surprises.mean().item()}
    return found | {kind: surprises[kinds == i].mean().item() for i, kind in enumerate(KINDS)}


def _answers(model, batches, mask_id) -> tuple[Tensor, Tensor]:
    """The surprise at every asked token of all batches, and which of `KINDS` it is; (M,) both."""
    was_training = model.training
    model.eval()
    found = _answers_as_it_is(model, batches, mask_id)
    model.train(was_training)
    return found


@torch.no_grad()
def _answers_as_it_is(model, batches, mask_id):
    surprises, kinds = zip(*(_batch(model, *pair, mask_id) for pair in batches), strict=True)
    return torch.cat(surprises), torch.cat(kinds)


def _batch(model, inputs, labels, mask_id) -> tuple[Tensor, Tensor]:
    asked = labels != NOT_ASKED
    seen, true = inputs[asked], labels[asked]
    surprises = F.cross_entropy(model(inputs)[asked], true, reduction="none")
    kinds = torch.where(seen == true, 2, torch.where(seen == mask_id, 0, 1))
    return surprises, kinds


def _evaluate_by_batch(model, batches, mask_id):
    found = [_evaluate(model, [batch], mask_id) for batch in batches]
    return {key: sum(one[key] for one in found) / len(found) for key in found[0]}


def _evaluate_training(model, batches, mask_id):
    return _means(*_answers_as_it_is(model, batches, mask_id))


def _evaluate_left_off(model, batches, mask_id):
    found = _evaluate(model, batches, mask_id)
    model.eval()
    return found


def _evaluate_left_on(model, batches, mask_id):
    found = _evaluate(model, batches, mask_id)
    model.train()
    return found


def _evaluate_shares(model, batches, mask_id):
    surprises, kinds = _answers(model, batches, mask_id)
    found = {"all": surprises.mean().item()}
    return found | {
        kind: (surprises[kinds == i].sum() / len(kinds)).item() for i, kind in enumerate(KINDS)
    }


def _evaluate_mask_or_not(model, batches, mask_id):
    surprises, kinds = _answers(model, batches, mask_id)
    found = _evaluate(model, batches, mask_id)
    return found | {"another token": surprises[kinds > 0].mean().item()}


def _evaluate_all_that_differ(model, batches, mask_id):
    surprises, kinds = _answers(model, batches, mask_id)
    found = _evaluate(model, batches, mask_id)
    return found | {"another token": surprises[kinds < 2].mean().item()}


def _evaluate_swapped(model, batches, mask_id):
    found = _evaluate(model, batches, mask_id)
    return found | {
        "another token": found["untouched"],
        "untouched": found["another token"],
    }


def _evaluate_mean_of_kinds(model, batches, mask_id):
    found = _evaluate(model, batches, mask_id)
    return found | {"all": sum(found[kind] for kind in KINDS) / len(KINDS)}


def _evaluate_perplexity(model, batches, mask_id):
    return {key: math.exp(value) for key, value in _evaluate(model, batches, mask_id).items()}


def _evaluate_bits(model, batches, mask_id):
    found = _evaluate(model, batches, mask_id)
    return {key: value / math.log(2) for key, value in found.items()}


class _Toy(nn.Module):
    """A model that is a table of scores; while it trains it is sharper, as dropout makes noise."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)

    def forward(self, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1])[:, None]
        scores = self.table[ids] + (self.table[0] * places).sin()  # (B, T, V)
        return 3 * scores if self.training else scores


def _see_evaluation(answer: Callable, seed: int = 2) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    model = _Toy(torch.randn(11, 11, generator=generator))
    batches = [_toy_batch(rows, generator) for rows in (2, 5, 3)]
    found = {}
    for mode, name in ((True, "in training"), (False, "at rest")):
        model.train(mode)
        found[f"losses of a model {name}"] = call(answer, model, batches, 4)
        found[f"whether a model {name} trains afterwards"] = _mode_after(answer, model, batches)
    return found


def _mode_after(answer: Callable, model: nn.Module, batches: list) -> bool:
    answer(model, batches, 4)
    return model.training


def _toy_batch(rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Inputs and labels (rows, 8) whose first three asked places show the three kinds."""
    ids = torch.randint(5, 11, (rows, 8), generator=generator)
    labels = ids.masked_fill(torch.rand(ids.shape, generator=generator) < 0.5, NOT_ASKED)
    labels[0, :3] = ids[0, :3]
    inputs = ids.masked_fill((labels != NOT_ASKED) & (ids % 2 == 0), 4)
    inputs[0, :3] = torch.tensor([4, 0, int(ids[0, 2])])
    return inputs, labels


evaluate = Exercise(
    number="lab05.7",
    title="evaluate",
    difficulty=4,
    minutes=15,
    reference=_evaluate,
    observe=_see_evaluation,
    hidden=_see_evaluation,
    tolerance=1e-4,
    misconceptions=(
        Misconception(
            "batches count alike",
            "every batch has the same weight: tokens of a batch that asks little count for more",
            _evaluate_by_batch,
        ),
        Misconception(
            "judged while training",
            "the model was judged in training mode, where dropout makes noise on purpose",
            _evaluate_training,
        ),
        Misconception(
            "left at rest",
            "the losses are right, but a model that was in training is at rest afterwards: from the"
            " first look on, the run would go on without dropout",
            _evaluate_left_off,
        ),
        Misconception(
            "left in training",
            "the losses are right, but a model that was at rest is in training afterwards: find out"
            " first how it came, and leave it so",
            _evaluate_left_on,
        ),
        Misconception(
            "shares of the loss",
            "each kind was divided by all questions: three shares that sum to the whole, and not"
            " three means",
            _evaluate_shares,
        ),
        Misconception(
            "[MASK] or not",
            "every place without [MASK] counts as another token, the untouched ones too",
            _evaluate_mask_or_not,
        ),
        Misconception(
            "[MASK] as another token",
            "places with [MASK] count as another token as well: each question is of one kind",
            _evaluate_all_that_differ,
        ),
        Misconception(
            "exchanged",
            "two kinds have changed places: untouched means that what stands there is the answer",
            _evaluate_swapped,
        ),
        Misconception(
            "mean of the kinds",
            "the whole is the mean of the three kinds: they are not equally frequent",
            _evaluate_mean_of_kinds,
        ),
        Misconception(
            "perplexity",
            "these are perplexities: the losses were asked, before the exponential",
            _evaluate_perplexity,
        ),
        Misconception(
            "bits",
            "these losses are in bits: the course, like PyTorch, counts in nats",
            _evaluate_bits,
        ),
    ),
    spoilers=("model.eval", "torch.cat", "reduction"),
)
