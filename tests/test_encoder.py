"""Blocks and encoders: shapes, laws, parity with PyTorch's block, bad input."""

import jaxtyping
import pytest
import torch
from torch import nn

from encoder_course.config import EncoderConfig
from encoder_course.nn import Block, Encoder, MaskedLM, Sight
from encoder_course.nn.fast import FastEncoder, suits

EXACT = dict(rtol=0, atol=1e-10)  # float64
KINDS = {
    "bert": {},
    "sinusoidal": dict(positions="sinusoidal", segments=0),
    "alibi": dict(positions="alibi", segments=0),
    "course": dict(positions="rotary", norm="pre", activation="geglu", bias=False, segments=0),
    "modernbert": dict(
        positions="rotary",
        norm="pre",
        activation="geglu",
        bias=False,
        segments=0,
        local_window=5,
        global_every=2,
    ),
    "bare": dict(positions="none", segments=0, embedding_norm=False),
}
EACH_KIND = pytest.mark.parametrize("kind", KINDS)


def make(kind="bert", **changes):
    """A tiny encoder in float64 with weights large enough for every part to matter."""
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig.tiny(**{**KINDS[kind], **changes})).double().eval()
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.2)
    return encoder


@pytest.fixture
def ids():
    return torch.randint(5, 100, (3, 9), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def keep():
    return torch.arange(9) < torch.tensor([[9], [6], [1]])


@EACH_KIND
def test_shapes(kind, ids, keep):
    encoder = make(kind)
    assert encoder(ids, keep).shape == (3, 9, 32)
    trace = encoder.inspect(ids, keep)
    assert [tuple(h.shape) for h in trace.hidden] == [(3, 9, 32)] * 3
    assert [tuple(w.shape) for w in trace.weights] == [(3, 4, 9, 9)] * 2
    torch.testing.assert_close(trace.hidden[-1], encoder(ids, keep), **EXACT)
    for weights in trace.weights:
        sums = weights.sum(-1)[keep[:, None].expand(3, 4, 9)]
        torch.testing.assert_close(sums, torch.ones_like(sums), **EXACT)


@EACH_KIND
def test_padding_and_batch_mates_change_nothing(kind, ids, keep):
    encoder = make(kind)
    hidden = encoder(ids, keep)
    other = ids.masked_fill(~keep, 7)
    torch.testing.assert_close(encoder(other, keep)[keep], hidden[keep], **EXACT)
    assert not torch.allclose(encoder(other)[keep], encoder(ids)[keep])  # without a mask they do
    alone = encoder(ids[1:2, :6])
    torch.testing.assert_close(hidden[1:2, :6], alone, **EXACT)


@EACH_KIND
def test_a_row_of_padding_alone_is_finite_and_so_are_the_gradients(kind, ids, keep):
    encoder = make(kind)
    keep = keep.clone()
    keep[2] = False
    hidden = encoder(ids, keep)
    assert bool(hidden.isfinite().all())
    torch.testing.assert_close(hidden[:2], encoder(ids[:2], keep[:2]), **EXACT)
    hidden.square().sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in encoder.parameters() if p.grad is not None)


@EACH_KIND
def test_packed_equals_padded_in_any_order(kind, ids):
    encoder = make(kind)
    lengths = [4, 9, 1, 4, 7]
    rows = [ids.flatten()[i : i + length] for i, length in enumerate(lengths)]
    expected = [encoder(row[None])[0] for row in rows]
    for budget in (1, 10, 1_000):
        for order in ([0, 1, 2, 3, 4], [3, 1, 4, 0, 2]):
            packed = encoder.encode_packed([rows[i] for i in order], budget)
            for i, hidden in zip(order, packed, strict=True):
                torch.testing.assert_close(hidden, expected[i], **EXACT)


def test_packed_takes_no_rows_and_refuses_empty_or_square_ones(ids, unchecked):
    assert make().encode_packed([]) == []
    with pytest.raises(ValueError, match=r"a row must be \(T,\).*is \(0,\)"):
        make().encode_packed([ids[0], ids[0, :0]])
    with pytest.raises(ValueError, match=r"is \(3, 9\)"):
        make().encode_packed([ids])


@pytest.mark.skipif(not suits(make().float()), reason="PyTorch was built without oneDNN")
@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "none"])
def test_the_fast_path_equals_the_plain_one(ids, positions):
    encoder = make(positions=positions, max_len=400).float()
    torch.manual_seed(0)
    rows = [torch.randint(5, 100, (length,)) for length in (3, 1, 300, 3, 9, 9)]
    fast = FastEncoder(encoder)
    for budget in (1, 20, 1_000):
        batches = encoder.packed_batches(rows, budget, fast.packed)
        found = {i: row for places, batch in batches for i, row in zip(places, batch, strict=True)}
        for i, expected in enumerate(encoder.encode_packed(rows, budget)):
            torch.testing.assert_close(found[i], expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="401 tokens"):
        fast.packed([torch.ones(401, dtype=torch.long)])


@pytest.mark.parametrize("kind", ["alibi", "course", "modernbert"])
def test_the_fast_path_refuses_what_it_cannot_do(kind):
    with pytest.raises(ValueError, match="only BERT's architecture"):
        FastEncoder(make(kind).float())
    with pytest.raises(ValueError, match="in float32"):
        FastEncoder(make())  # float64


def test_only_positions_tell_the_order(ids):
    order = torch.tensor([5, 2, 8, 0, 3, 1, 7, 4, 6])
    for kind, blind in (("bare", True), ("bert", False), ("alibi", False), ("course", False)):
        encoder = make(kind)
        moved = encoder(ids[:, order])
        assert torch.allclose(moved, encoder(ids)[:, order], rtol=0, atol=1e-10) == blind, kind


def test_a_token_sees_both_sides(ids):
    encoder = make()
    for place in (0, 8):
        changed = ids.clone()
        changed[:, place] = 5 + (ids[:, place] + 1) % 90
        assert bool((encoder(changed) != encoder(ids)).any(-1).all())


def test_a_local_layer_sees_its_window_alone(ids):
    encoder = make("modernbert")
    trace = encoder.inspect(ids)
    near = (torch.arange(9)[:, None] - torch.arange(9)).abs() <= 2  # 5 tokens, centre included
    assert bool((trace.weights[1][..., ~near] == 0).all())
    assert bool((trace.weights[1][..., near] > 0).all())
    assert bool((trace.weights[0] > 0).all())


def test_segments_matter_and_are_zero_unless_given(ids):
    encoder = make()
    zeros = torch.zeros_like(ids)
    torch.testing.assert_close(encoder(ids, segments=zeros), encoder(ids), **EXACT)
    assert not torch.allclose(encoder(ids, segments=zeros + 1), encoder(ids))


# --- parity with torch.nn.TransformerEncoderLayer ----------------------------------------------


def blocks(norm, eps=1e-12, activation="gelu", their_norm=None, dtype=torch.float64):
    """PyTorch's block and ours with the same weights, and their results with gradients."""
    torch.manual_seed(0)
    config = EncoderConfig.tiny(norm=norm, dropout=0.1)
    ours = Block(config).to(dtype).eval()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, std=0.3)
    theirs = nn.TransformerEncoderLayer(
        config.dim,
        config.heads,
        config.ff_dim,
        activation=activation,
        layer_norm_eps=eps,
        batch_first=True,
        norm_first=(their_norm or norm) == "pre",
        dtype=dtype,
    ).eval()
    qkv = (ours.attention.query, ours.attention.key, ours.attention.value)
    theirs.self_attn.load_state_dict(
        {
            "in_proj_weight": torch.cat([linear.weight for linear in qkv]),
            "in_proj_bias": torch.cat([linear.bias for linear in qkv]),
            "out_proj.weight": ours.attention.output.weight,
            "out_proj.bias": ours.attention.output.bias,
        }
    )
    theirs.linear1.load_state_dict(ours.feed_forward.expand.state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward.contract.state_dict())
    theirs.norm1.load_state_dict(ours.attention_norm.state_dict())
    theirs.norm2.load_state_dict(ours.feed_forward_norm.state_dict())
    hidden = torch.randn(3, 9, config.dim, dtype=dtype, requires_grad=True)
    keep = torch.arange(9) < torch.tensor([[9], [6], [1]])
    expected = theirs(hidden, src_key_padding_mask=~keep)
    found = ours(hidden, Sight(keep=keep[:, None, None]))
    gradients = (torch.autograd.grad(x[keep].square().sum(), hidden)[0] for x in (found, expected))
    return found[keep], expected[keep], *gradients


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_block_equals_torch(norm):
    found, expected, gradient, their_gradient = blocks(norm)
    torch.testing.assert_close(found, expected, **EXACT)
    torch.testing.assert_close(gradient, their_gradient, rtol=1e-10, atol=1e-10)
    found, expected, *_ = blocks(norm, dtype=torch.float32)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize(
    "wrong",
    [
        dict(eps=1e-5),
        dict(activation=lambda x: nn.functional.gelu(x, approximate="tanh")),
        dict(activation="relu"),
        dict(their_norm="other"),
    ],
    ids=["another eps", "tanh GELU", "ReLU", "norm on the other side"],
)
def test_a_block_that_differs_a_little_fails_the_same_check(norm, wrong):
    if "their_norm" in wrong:
        wrong = dict(their_norm="pre" if norm == "post" else "post")
    found, expected, *_ = blocks(norm, **wrong)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(found, expected, **EXACT)


# --- masked language modelling -------------------------------------------------------------------


def test_loss_asks_only_where_there_is_a_label(ids, keep):
    model = MaskedLM(EncoderConfig.tiny()).double().eval()
    labels = torch.full_like(ids, -100)
    labels[0, 2], labels[1, 3] = 17, 23
    logits = model.logits(ids, keep, labels != -100)
    assert logits.shape == (2, 100)
    expected = nn.functional.cross_entropy(logits, torch.tensor([17, 23]))
    torch.testing.assert_close(model(ids, keep, labels), expected, **EXACT)
    assert model.logits(ids).shape == (27, 100)
    assert model(ids, keep, torch.full_like(ids, -100)).item() == 0


def test_the_last_matrix_is_the_token_embedding():
    model = MaskedLM(EncoderConfig.tiny())
    assert model.head.weight is model.encoder.embed.token.weight
    names = [name for name, _ in model.named_parameters()]
    assert "head.weight" not in names  # listed once


# --- bad input ---------------------------------------------------------------------------------


@pytest.fixture
def unchecked(monkeypatch):
    """Without the tests' own shape checks, as a learner runs it."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ids: ids.index_fill(1, torch.tensor(0), 100), "token id 100 is out of range.*100"),
        (lambda ids: ids.index_fill(1, torch.tensor(0), -1), "token id -1 is out of range"),
        (lambda ids: ids.float(), "whole numbers.*float32"),
        (lambda ids: ids > 9, "whole numbers.*bool"),
        (lambda ids: ids[0], r"ids must be \(B, T\).*\(9,\)"),
        (lambda ids: ids.repeat(1, 8), "72 tokens.*positions for 64"),
    ],
)
def test_bad_ids_are_named(ids, unchecked, change, message):
    with pytest.raises(ValueError, match=message):
        make()(change(ids))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda keep: keep.long(), r"keep must be boolean.*int64.*mask\.bool\(\)"),
        (lambda keep: keep[:, :5], r"keep is \(3, 5\) but the tokens are \(3, 9\)"),
        (lambda keep: keep[:, None, None], r"keep is \(3, 1, 1, 9\)"),
    ],
)
def test_bad_masks_are_named(ids, keep, unchecked, change, message):
    with pytest.raises(ValueError, match=message):
        make()(ids, change(keep))


def test_bad_segments_and_labels_are_named(ids, unchecked):
    with pytest.raises(ValueError, match="no segment embeddings"):
        make("course")(ids, segments=torch.zeros_like(ids))
    with pytest.raises(ValueError, match=r"segments are \(3, 4\).*\(3, 9\)"):
        make()(ids, segments=torch.zeros_like(ids[:, :4]))
    with pytest.raises(ValueError, match="id 2 is out of range"):
        make()(ids, segments=torch.full_like(ids, 2))
    with pytest.raises(ValueError, match=r"labels are None.*\(3, 9\)"):
        MaskedLM(EncoderConfig.tiny())(ids)
    with pytest.raises(ValueError, match="id 100 is out of range"):
        MaskedLM(EncoderConfig.tiny())(ids, labels=torch.full_like(ids, 100))


def test_a_long_packed_row_is_named():
    with pytest.raises(ValueError, match="65 tokens.*positions for 64"):
        make().encode_packed([torch.ones(65, dtype=torch.long)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(dim=30), "dim 30 cannot be split into 4"),
        (dict(heads=0), "heads must be at least 1"),
        (dict(positions="rope"), "positions 'rope' is not one of"),
        (dict(norm="Pre"), "norm 'Pre' is not one of"),
        (dict(activation="relu"), "activation 'relu' is not one of"),
        (dict(positions="rotary", dim=12), "head width 3 is odd"),
        (dict(positions="sinusoidal", dim=9, heads=3), "dim 9 is odd"),
        (dict(dropout=1.0), "dropout is a probability"),
        (dict(pad_id=100), "pad_id 100 is outside the vocabulary of 100"),
    ],
)
def test_settings_that_disagree_are_named(changes, message, unchecked):
    with pytest.raises(ValueError, match=message):
        EncoderConfig.tiny(**changes)


def test_config_survives_json_and_refuses_unknown_settings():
    config = EncoderConfig.modernbert_base()
    assert EncoderConfig.from_dict(config.to_dict()) == config
    with pytest.raises(ValueError, match="no setting called width"):
        EncoderConfig.from_dict({**config.to_dict(), "width": 3})


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (EncoderConfig.minilm(), 22_565_376),
        (EncoderConfig.bert_base(), 108_891_648),
        (EncoderConfig.modernbert_base(), 149_014_272),
    ],
)
def test_presets_have_the_published_number_of_parameters(config, parameters):
    with torch.device("meta"):
        encoder = Encoder(config)
    assert sum(p.numel() for p in encoder.parameters()) == parameters
