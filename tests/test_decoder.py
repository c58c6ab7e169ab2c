"""Decoders: the law of the mask, parity with GPT-2, greedy and beam search."""

import itertools

import jaxtyping
import pytest
import torch
from torch.nn import functional as F

from encoder_course import hf
from encoder_course.config import EncoderConfig
from encoder_course.nn import CausalLM, Decoder, Encoder, beam, greedy
from encoder_course.nn.decoder import causal

EXACT = dict(rtol=0, atol=1e-10)  # float64
KINDS = {
    "gpt2": dict(norm="pre", norm_eps=1e-5, segments=0, activation="gelu_tanh"),
    "alibi": dict(positions="alibi", segments=0),
    "course": dict(positions="rotary", norm="pre", activation="geglu", bias=False, segments=0),
    "local": dict(positions="rotary", norm="pre", segments=0, local_window=5, global_every=2),
}
EACH_KIND = pytest.mark.parametrize("kind", KINDS)


def stir(model):
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.double().eval()


def make(kind="gpt2", build=Decoder, **changes):
    return stir(build(EncoderConfig.tiny(**{**KINDS[kind], **changes})))


@pytest.fixture
def ids():
    return torch.randint(5, 100, (3, 9), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def keep():
    return torch.arange(9) < torch.tensor([[9], [6], [1]])


def reached(model, ids, place):
    """Which outputs of the first row change when one token does."""
    other = ids.clone()
    other[:, place] = 5 + (ids[:, place] + 1) % 90
    return (model(other) - model(ids))[0].abs().amax(-1) > 1e-9


# --- the law --------------------------------------------------------------------------------------


@EACH_KIND
def test_the_future_never_leaks_and_an_encoder_sees_it(kind, ids):
    for place in range(9):
        assert not reached(make(kind), ids, place)[:place].any(), place
    assert reached(make(kind), ids, 4)[4:].any()
    both_sides = make(kind, Encoder)
    assert reached(both_sides, ids, 4)[:4].any()


def test_a_full_mask_reaches_every_later_token_and_an_encoder_every_token(ids):
    assert reached(make(), ids, 3).tolist() == [False] * 3 + [True] * 6
    assert reached(make(build=Encoder), ids, 3).all()


@pytest.mark.parametrize("wrong", ["upside down", "one too far", "all"])
def test_a_wrong_mask_breaks_the_law(ids, monkeypatch, wrong):
    masks = {"upside down": lambda m: m.T, "one too far": lambda m: m | m.roll(1, 1)}
    change = masks.get(wrong, torch.ones_like)
    monkeypatch.setattr("encoder_course.nn.decoder.causal", lambda *a: change(causal(*a)))
    assert any(reached(make(), ids, place)[:place].any() for place in range(9))


@EACH_KIND
def test_a_prefix_has_the_vectors_that_it_has_in_the_whole_text(kind, ids):
    decoder = make(kind)
    torch.testing.assert_close(decoder(ids[:, :5]), decoder(ids)[:, :5], **EXACT)


@EACH_KIND
def test_padding_and_batch_mates_change_nothing(kind, ids, keep):
    decoder = make(kind)
    hidden = decoder(ids, keep)
    torch.testing.assert_close(
        hidden[keep], decoder(ids.masked_fill(~keep, 7), keep)[keep], **EXACT
    )
    torch.testing.assert_close(hidden[1:2, :6], decoder(ids[1:2, :6]), **EXACT)
    # Padding on the left has words after it: without `keep` they would see it.
    left = torch.cat([torch.full((3, 2), 7), ids], dim=1)
    seen = torch.cat([torch.zeros(3, 2, dtype=torch.bool), torch.ones_like(keep)], dim=1)
    other = torch.cat([torch.full((3, 2), 9), ids], dim=1)
    torch.testing.assert_close(decoder(left, seen)[:, 2:], decoder(other, seen)[:, 2:], **EXACT)
    assert not torch.allclose(decoder(left)[:, 2:], decoder(other)[:, 2:])


@EACH_KIND
def test_packed_equals_padded_and_the_weights_lie_below_the_diagonal(kind, ids):
    decoder = make(kind)
    rows = [ids.flatten()[i : i + length] for i, length in enumerate([4, 9, 1, 4])]
    for row, hidden in zip(rows, decoder.encode_packed(rows), strict=True):
        torch.testing.assert_close(hidden, decoder(row[None])[0], **EXACT)
    for weights in decoder.inspect(ids).weights:
        assert (weights.triu(1) == 0).all()
        torch.testing.assert_close(weights.sum(-1), torch.ones(3, 4, 9).double(), **EXACT)


# --- the loss -------------------------------------------------------------------------------------


def test_loss_asks_each_token_of_the_one_before_it(ids, keep):
    model = make(build=CausalLM)
    logs = model.logits(ids, keep).log_softmax(-1)
    surprises = [
        -logs[row, t, ids[row, t + 1]]
        for row, t in itertools.product(range(3), range(8))
        if keep[row, t + 1]
    ]
    torch.testing.assert_close(model(ids, keep), torch.stack(surprises).mean(), **EXACT)
    labels = torch.full_like(ids, -100)
    labels[0, 3] = 17
    torch.testing.assert_close(model(ids, keep, labels), -logs[0, 2, 17], **EXACT)
    assert model(ids, keep, torch.full_like(ids, -100)).item() == 0


def test_bad_labels_are_named(ids, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=r"labels are \(3, 8\).*\(3, 9\)"):
        make(build=CausalLM)(ids, labels=ids[:, 1:])
    with pytest.raises(ValueError, match="id 100 is out of range"):
        make(build=CausalLM)(ids, labels=torch.full_like(ids, 100))


# --- parity with GPT-2 ----------------------------------------------------------------------------


def gpt2(**changes):
    from transformers import GPT2Config, GPT2LMHeadModel

    small = dict(vocab_size=100, n_embd=32, n_layer=3, n_head=4, n_positions=40)
    tokens = dict(bos_token_id=1, eos_token_id=2, pad_token_id=0)
    return stir(GPT2LMHeadModel(GPT2Config(**{**small, **tokens, **changes})))


def test_logits_and_gradients_equal_gpt2s(ids, keep):
    model = gpt2()
    ours = hf.from_gpt2(model)
    expected = model(ids, attention_mask=keep.long()).logits
    found = ours.logits(ids, keep)
    torch.testing.assert_close(found[keep], expected[keep], **EXACT)
    for logits in (expected, found):
        logits[keep].square().mean().backward()
    theirs = model.transformer.h[1].attn.c_attn.weight.grad.T.chunk(3)
    attention = ours.decoder.blocks[1].attention
    for linear, gradient in zip(
        (attention.query, attention.key, attention.value), theirs, strict=True
    ):
        torch.testing.assert_close(linear.weight.grad, gradient, rtol=1e-9, atol=1e-9)
    single = ours.float().logits(ids, keep)
    torch.testing.assert_close(single[keep].double(), expected[keep], rtol=0, atol=1e-4)


def test_the_loss_equals_gpt2s(ids):
    model = gpt2(n_inner=48)
    theirs = model(ids, labels=ids).loss
    found = hf.from_gpt2(model)(ids)
    assert found.item() == pytest.approx(theirs.item(), abs=1e-5)  # theirs is computed in float32


def swap_query_and_key(model):
    for block in model.decoder.blocks:
        block.attention.query, block.attention.key = block.attention.key, block.attention.query


def exact_gelu(model):
    for block in model.decoder.blocks:
        block.feed_forward.approximate = "none"


def look_ahead(model):
    model.decoder.__class__ = Encoder


@pytest.mark.parametrize("change", [swap_query_and_key, exact_gelu, look_ahead])
def test_a_wrong_decoder_fails_the_same_check(ids, change):
    model = gpt2()
    ours = hf.from_gpt2(model)
    change(ours)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(ours.logits(ids), model(ids).logits, **EXACT)


@pytest.mark.parametrize(
    "setting",
    [dict(activation_function="relu"), dict(scale_attn_by_inverse_layer_idx=True)],
)
def test_another_gpt2_is_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        hf.from_gpt2(gpt2(**setting))


def test_gpt2_small_has_the_published_number_of_parameters():
    with torch.device("meta"):
        model = CausalLM(EncoderConfig.gpt2())
    assert sum(p.numel() for p in model.parameters()) == 124_439_808


# --- writing --------------------------------------------------------------------------------------


def table(*rows):
    """A language in which the next token depends on the last alone: rows of probabilities."""
    logs = torch.tensor(rows, dtype=torch.float64).log()
    return lambda ids: logs[ids[:, -1]]


# From the start 0: "1" first looks better, but "2 2" is the more probable text. The end is 3.
GARDEN_PATH = table(
    [0.0, 0.6, 0.4, 0.0], [0.0, 0.5, 0.1, 0.4], [0.0, 0.0, 0.05, 0.95], [0.0, 0.0, 0.0, 1.0]
)


def test_greedy_takes_the_first_best_and_beam_the_better_whole():
    start = torch.tensor([[0]])
    assert greedy(GARDEN_PATH, start, 3, 4).tolist() == [[0, 1, 1, 1, 1]]
    drafts, scores = beam(GARDEN_PATH, start, 3, 4, width=2)
    assert drafts[0, 0].tolist()[:3] == [0, 2, 3]
    assert scores[0, 0].exp().item() == pytest.approx(0.4 * 0.95)


def test_greedy_equals_transformers_and_a_beam_of_one(ids):
    model = gpt2()
    ours = hf.from_gpt2(model)

    def next_logits(tokens):
        return ours.logits(tokens)[:, -1]

    expected = model.generate(
        ids, do_sample=False, max_new_tokens=12, eos_token_id=50, pad_token_id=50
    )
    found = greedy(next_logits, ids, 50, 12)
    assert torch.equal(found, expected)
    assert torch.equal(beam(next_logits, ids, 50, 12, width=1)[0][:, 0], found)


def test_a_wide_beam_finds_the_best_of_all_texts():
    torch.manual_seed(0)
    logs = torch.randn(4, 4, dtype=torch.float64)
    limit, end = 3, 3

    def score(text):
        steps = zip([0, *text], text, strict=False)
        return sum(logs.log_softmax(-1)[a, b].item() for a, b in steps)

    texts = {
        text
        for size in range(1, limit + 1)
        for text in itertools.product(range(4), repeat=size)
        if end not in text[:-1] and (text[-1] == end or size == limit)
    }
    ranked = sorted(texts, key=score, reverse=True)
    drafts, scores = beam(lambda ids: logs[ids[:, -1]], torch.zeros(1, 1).long(), end, limit, 40)
    for place in range(10):
        text = ranked[place]
        assert tuple(drafts[0, place].tolist()[1 : len(text) + 1]) == text
        assert scores[0, place].item() == pytest.approx(score(text))


def test_rows_of_a_batch_do_not_touch_each_other(ids):
    model = make(build=CausalLM)

    def next_logits(tokens):
        return model.logits(tokens)[:, -1]

    drafts, scores = beam(next_logits, ids, 7, 6, width=3)
    for row in range(3):
        alone, score = beam(next_logits, ids[row : row + 1], 7, 6, width=3)
        length = alone.shape[-1]
        assert torch.equal(alone[0], drafts[row, :, :length])
        torch.testing.assert_close(score[0], scores[row], **EXACT)


def test_length_power_prefers_longer_texts():
    stop_early = table([0.0, 0.55, 0.0, 0.45], [0.0, 0.9, 0.0, 0.1], [0.25] * 4, [0, 0, 0, 1.0])
    start = torch.tensor([[0]])
    whole, _ = beam(stop_early, start, 3, 3, width=2)
    token, scores = beam(stop_early, start, 3, 3, width=2, length_power=1.0)
    assert whole[0, 0].tolist() == [0, 3, 3, 3]
    assert token[0, 0].tolist() == [0, 1, 1, 1]
    expected = torch.tensor([0.55, 0.9, 0.9]).log().mean().item()
    assert scores[0, 0].item() == pytest.approx(expected, abs=1e-6)


def test_finished_rows_stay_finished_and_the_width_is_checked():
    start = torch.tensor([[3], [0]])
    found = greedy(GARDEN_PATH, start, 3, 3)
    assert found[0].tolist() == [3, 3, 3, 3]
    with pytest.raises(ValueError, match="width must be at least 1"):
        beam(GARDEN_PATH, start, 3, 3, width=0)


def test_the_surprise_of_a_text_is_the_sum_over_its_tokens(ids):
    model = make(build=CausalLM)
    logs = F.log_softmax(model.logits(ids), dim=-1)[:, :-1].gather(-1, ids[:, 1:, None])
    torch.testing.assert_close(model(ids), -logs.mean(), **EXACT)
