"""Encoder and decoder together: cross-attention, T5's positions, parity with T5 and BART."""

import jaxtyping
import pytest
import torch

from encoder_course import hf
from encoder_course.config import EncoderConfig
from encoder_course.nn import Decoder, Encoder, MultiHeadAttention, Seq2Seq, Sight, beam, greedy
from encoder_course.nn.positions import rotary
from encoder_course.nn.relative import RelativeBias, bucket

EXACT = dict(rtol=0, atol=1e-10)  # float64
T5 = dict(positions="bucketed", norm="pre", norm_kind="rms", activation="geglu_tanh", bias=False)
KINDS = {
    "t5": dict(**T5, norm_eps=1e-6, segments=0, embedding_norm=False, buckets=8, bucket_reach=16),
    "bart": dict(norm_eps=1e-5, segments=0),
    "rotary": dict(positions="rotary", norm="pre", segments=0),
}
EACH_KIND = pytest.mark.parametrize("kind", KINDS)


def stir(model):
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.double().eval()


def make(kind="t5", **options):
    return stir(Seq2Seq(EncoderConfig.tiny(**KINDS[kind]), **options))


@pytest.fixture
def source():
    return torch.randint(5, 100, (3, 11), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def target():
    return torch.randint(5, 100, (3, 7), generator=torch.Generator().manual_seed(2))


@pytest.fixture
def keep():
    return torch.arange(11) < torch.tensor([[11], [6], [1]])


# --- laws -----------------------------------------------------------------------------------------


@EACH_KIND
def test_the_target_sees_its_past_and_the_whole_source(kind, source, target):
    model = make(kind)
    before = model.logits(source, target)
    later = target.clone()
    later[:, 4] = 5 + (target[:, 4] + 1) % 90
    moved = (model.logits(source, later) - before).abs().amax((0, 2)) > 1e-9
    assert moved.tolist() == [False] * 4 + [True] * 3
    for place in (0, 10):
        other = source.clone()
        other[:, place] = 5 + (source[:, place] + 1) % 90
        assert ((model.logits(other, target) - before).abs().amax(-1) > 1e-9).all()


@EACH_KIND
def test_the_memorys_padding_and_batch_mates_change_nothing(kind, source, target, keep):
    model = make(kind)
    expected = model.logits(source, target, keep)
    other = source.masked_fill(~keep, 7)
    torch.testing.assert_close(model.logits(other, target, keep), expected, **EXACT)
    assert not torch.allclose(model.logits(other, target)[1], model.logits(source, target)[1])
    alone = model.logits(source[1:2, :6], target[1:2])
    torch.testing.assert_close(expected[1:2], alone, **EXACT)


@EACH_KIND
def test_alignment_is_what_the_decoder_reads_with(kind, source, target, keep):
    model = make(kind)
    layers = model.alignment(source, target, keep)
    assert [tuple(weights.shape) for weights in layers] == [(3, 4, 7, 11)] * 2
    for weights in layers:
        torch.testing.assert_close(weights.sum(-1), torch.ones(3, 4, 7).double(), **EXACT)
        assert (weights[~keep[:, None, None].expand_as(weights)] == 0).all()
    values = []
    block = model.decoder.blocks[0].cross_attention
    block.register_forward_hook(lambda *seen: values.append(seen[2]))
    model.logits(source, target, keep)
    memory = block.split(block.value(model.encoder(source, keep)))
    by_hand = block.output((layers[0] @ memory).transpose(1, 2).flatten(2))
    torch.testing.assert_close(by_hand, values[0], **EXACT)


def test_teacher_forcing_asks_each_token_after_the_right_ones(source, target, keep):
    model = make("bart", start_id=3)
    labels = target.clone()
    labels[0, 5:] = -100
    inputs = model.shift(labels)
    assert inputs[:, 0].tolist() == [3, 3, 3]
    assert torch.equal(inputs[1:, 1:], target[1:, :-1])
    assert inputs[0].tolist() == [3, *target[0, :5].tolist(), 0]
    logs = model.logits(source, inputs, keep).log_softmax(-1)
    asked = [(row, t) for row in range(3) for t in range(7) if labels[row, t] != -100]
    expected = -torch.stack([logs[row, t, labels[row, t]] for row, t in asked]).mean()
    torch.testing.assert_close(model(source, labels, keep), expected, **EXACT)


def test_the_writer_writes_what_the_logits_say(source, keep):
    model = make("bart", start_id=3)
    next_logits, start = model.writer(source, keep)
    written = greedy(next_logits, start, 1, 5)
    assert written[:, 0].tolist() == [3, 3, 3]
    again = model.logits(source, written[:, :-1], keep).argmax(-1)
    torch.testing.assert_close(written[:, 1], again[:, 0])
    drafts, scores = beam(next_logits, start, 1, 5, width=3)
    assert (scores[:, :-1] >= scores[:, 1:]).all()
    alone, alone_start = model.writer(source[1:2, :6])
    assert torch.equal(beam(alone, alone_start, 1, 5, width=3)[0][0], drafts[1])


def test_all_weights_learn_and_the_tokens_are_one_table(source, target, keep):
    for model in (make(), make("bart", tied=False)):
        model(source, target, keep).backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
        assert model.decoder.embed.token is model.encoder.embed.token
        names = [name for name, _ in model.named_parameters()]
        assert "decoder.embed.token.weight" not in names


# --- what it refuses ------------------------------------------------------------------------------


@pytest.fixture
def unchecked(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def test_memories_and_blocks_that_do_not_fit_are_named(source, target, unchecked):
    config = EncoderConfig.tiny(segments=0)
    memory = torch.zeros(3, 11, 32)
    with pytest.raises(ValueError, match="no cross-attention"):
        Decoder(config)(target, memory=memory)
    with pytest.raises(ValueError, match="no memory to read"):
        Decoder(config, cross=True)(target)
    with pytest.raises(ValueError, match="no memory to read"):
        Decoder(config, cross=True).encode_packed([target[0]])
    with pytest.raises(ValueError, match=r"keep is \(3, 4\) but the tokens are \(3, 11\)"):
        Decoder(config, cross=True)(
            target, memory=memory, memory_keep=torch.ones(3, 4, dtype=torch.bool)
        )
    with pytest.raises(ValueError, match="dim is 32 in the encoder but 64 in the decoder"):
        Seq2Seq(config, config.replace(dim=64))
    with pytest.raises(ValueError, match="rotary positions are those of one text"):
        MultiHeadAttention(8, 2)(
            torch.zeros(1, 3, 8), Sight(rotary=rotary(3, 4)), torch.zeros(1, 3, 8)
        )


# --- T5's positions and norm ----------------------------------------------------------------------


@pytest.mark.parametrize("both_sides", [True, False])
@pytest.mark.parametrize(("buckets", "reach"), [(32, 128), (8, 16), (16, 100)])
def test_buckets_equal_t5s(both_sides, buckets, reach):
    from transformers.models.t5.modeling_t5 import T5Attention

    offsets = torch.arange(-300, 301)
    theirs = T5Attention._relative_position_bucket(offsets, both_sides, buckets, reach)
    assert torch.equal(bucket(offsets, buckets, reach, both_sides), theirs)


def test_near_distances_have_a_bucket_each_and_far_ones_share():
    left = bucket(-torch.arange(200), 32, 128, False)
    assert left[:16].tolist() == list(range(16)) and left[-1] == left[128] == 31
    both = bucket(torch.arange(-200, 201), 32, 128, True)
    assert both.unique().tolist() == [n for n in range(32) if n != 16]  # 0 has a left bucket
    bias = RelativeBias(4, 32, 128, True)
    table = bias(20)
    assert table.shape == (4, 20, 20)
    torch.testing.assert_close(table[:, 3, 5], table[:, 10, 12])
    assert not torch.equal(table[:, 3, 5], table[:, 5, 3])


def test_bucketed_positions_tell_the_order_in_an_encoder(source):
    encoder = stir(Encoder(EncoderConfig.tiny(**KINDS["t5"])))
    order = torch.tensor([5, 2, 8, 0, 3, 1, 7, 4, 6, 10, 9])
    assert not torch.allclose(encoder(source[:, order]), encoder(source)[:, order])
    rows = [source[0], source[1, :4]]
    for row, hidden in zip(rows, encoder.encode_packed(rows), strict=True):
        torch.testing.assert_close(hidden, encoder(row[None])[0], **EXACT)


@pytest.mark.parametrize("wrong", [dict(buckets=6), dict(buckets=0), dict(bucket_reach=16)])
def test_bad_buckets_are_named(wrong):
    with pytest.raises(ValueError, match="must be a multiple of 4, and fewer than twice"):
        EncoderConfig.tiny(**wrong)


# --- parity ---------------------------------------------------------------------------------------


def t5(**changes):
    from transformers import T5Config, T5ForConditionalGeneration

    small = dict(vocab_size=100, d_model=32, d_kv=8, d_ff=48, num_heads=4, num_layers=2)
    small |= dict(num_decoder_layers=3, feed_forward_proj="gated-gelu", decoder_start_token_id=0)
    small |= dict(relative_attention_num_buckets=8, relative_attention_max_distance=20)
    return stir(T5ForConditionalGeneration(T5Config(**{**small, **changes})))


def bart():
    from transformers import BartConfig, BartModel

    small = dict(vocab_size=100, d_model=32, encoder_layers=2, decoder_layers=3)
    small |= dict(encoder_attention_heads=4, decoder_attention_heads=2, max_position_embeddings=40)
    small |= dict(encoder_ffn_dim=48, decoder_ffn_dim=64, decoder_start_token_id=2)
    model = stir(BartModel(BartConfig(**small)))
    for half in (model.encoder, model.decoder):
        half.embed_tokens.weight = model.shared.weight
    return model


def double_norm(self, hidden):
    """T5's norm in the precision of its input; theirs takes the mean square in float32."""
    root = torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
    return self.weight * hidden * root


@pytest.fixture
def in_double(monkeypatch):
    from transformers.models.t5.modeling_t5 import T5LayerNorm

    monkeypatch.setattr(T5LayerNorm, "forward", double_norm)


def their_logits(model, source, target, keep):
    return model(input_ids=source, attention_mask=keep.long(), decoder_input_ids=target).logits


def test_logits_and_gradients_equal_t5s(source, target, keep, in_double):
    model = t5()
    model.set_attn_implementation("sdpa")  # the eager one takes softmax in float32
    ours = hf.from_t5(model)
    expected = their_logits(model, source, target, keep)
    found = ours.logits(source, target, keep)
    torch.testing.assert_close(found, expected, **EXACT)
    for logits in (expected, found):
        logits.square().mean().backward()
    theirs = model.decoder.block[1].layer[1].EncDecAttention
    mine = ours.decoder.blocks[1].cross_attention
    look = dict(rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(mine.key.weight.grad, theirs.k.weight.grad, **look)
    # Our query weights are theirs times the root of K, so their gradients are as much smaller.
    torch.testing.assert_close(mine.query.weight.grad * 8**0.5, theirs.q.weight.grad, **look)
    first = model.decoder.block[0].layer[0].SelfAttention.relative_attention_bias
    torch.testing.assert_close(ours.decoder.relative.table.weight.grad, first.weight.grad, **look)


def test_logits_equal_t5s_as_it_is_within_the_float32_of_its_norm(source, target, keep):
    model = t5()
    found = hf.from_t5(model).logits(source, target, keep)
    expected = their_logits(model, source, target, keep)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(AssertionError):  # that is why `in_double` is needed above
        torch.testing.assert_close(found, expected, **EXACT)


@pytest.mark.parametrize("tied", [True, False])
def test_t5s_matrix_of_scores_tied_or_not(source, target, keep, in_double, tied):
    model = t5(tie_word_embeddings=tied)
    if not tied:
        torch.manual_seed(1)
        other = torch.nn.Parameter(torch.randn(100, 32).double())
        model.lm_head.weight = other
    model.set_attn_implementation("sdpa")
    ours = hf.from_t5(model)
    assert (ours.head is None) == tied and ours.scaled == tied
    expected = their_logits(model, source, target, keep)
    torch.testing.assert_close(ours.logits(source, target, keep), expected, **EXACT)


def test_the_loss_equals_t5s_and_so_does_what_it_writes(source, target, keep):
    model = t5()
    ours = hf.from_t5(model)
    labels = target.clone()
    labels[0, 5:] = -100
    theirs = model(input_ids=source, attention_mask=keep.long(), labels=labels).loss
    assert ours(source, labels, keep).item() == pytest.approx(theirs.item(), abs=1e-5)
    written = model.generate(
        source,
        attention_mask=keep.long(),
        do_sample=False,
        max_new_tokens=8,
        eos_token_id=50,
        use_cache=False,
    )
    next_logits, start = ours.writer(source, keep)
    found = greedy(next_logits, start, 50, 8)
    assert torch.equal(
        found, written.masked_fill(written == 0, 50).index_fill(1, torch.tensor(0), 0)
    )


def test_hidden_states_equal_barts(source, target, keep):
    model = bart()
    ours = hf.from_bart(model)
    expected = model(input_ids=source, attention_mask=keep.long(), decoder_input_ids=target)
    memory = ours.encoder(source, keep)
    torch.testing.assert_close(memory[keep], expected.encoder_last_hidden_state[keep], **EXACT)
    found = ours.decoder(target, memory=memory, memory_keep=keep)
    torch.testing.assert_close(found, expected.last_hidden_state, **EXACT)


def swap_self_and_cross(model):
    for block in model.decoder.blocks:
        block.attention, block.cross_attention = block.cross_attention, block.attention


def look_both_ways(model):
    model.decoder.relative.both_sides = True


def forget_scale(model):
    model.scaled = False


def norm_of_layer(model):
    model.encoder.final_norm = torch.nn.LayerNorm(32, eps=1e-6).double()


def exact_gelu(model):
    for block in model.decoder.blocks:
        block.feed_forward.approximate = "none"


@pytest.mark.parametrize(
    "change", [swap_self_and_cross, look_both_ways, forget_scale, norm_of_layer, exact_gelu]
)
def test_a_wrong_model_fails_the_same_check(source, target, keep, in_double, change):
    model = t5()
    model.set_attn_implementation("sdpa")
    ours = hf.from_t5(model)
    change(ours)
    expected = their_logits(model, source, target, keep)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(ours.logits(source, target, keep), expected, **EXACT)


def test_a_forgotten_mask_of_the_memory_fails_the_same_check(source, target, keep):
    model = bart()
    ours = hf.from_bart(model)
    expected = model(input_ids=source, attention_mask=keep.long(), decoder_input_ids=target)
    found = ours.decoder(target, memory=ours.encoder(source, keep))
    with pytest.raises(AssertionError):
        torch.testing.assert_close(found, expected.last_hidden_state, **EXACT)


def test_another_t5_is_refused():
    with pytest.raises(ValueError, match="feed_forward_proj is 'relu'"):
        hf.from_t5(t5(feed_forward_proj="relu"))
    with pytest.raises(ValueError, match="d_kv is 16"):
        hf.from_t5(t5(d_kv=16))


def test_a_configuration_may_be_silent_about_the_start():
    from transformers import BartConfig, BartModel, T5Config, T5ForConditionalGeneration

    small = dict(d_model=32, d_kv=8, d_ff=48, num_layers=1, num_heads=4)
    config = T5Config(vocab_size=100, **small, feed_forward_proj="gated-gelu", pad_token_id=3)
    assert hf.from_t5(T5ForConditionalGeneration(config)).start_id == 3
    half = dict(encoder_layers=1, decoder_layers=1, encoder_ffn_dim=48, decoder_ffn_dim=48)
    heads = dict(encoder_attention_heads=4, decoder_attention_heads=4)
    config = BartConfig(vocab_size=100, d_model=32, **half, **heads, eos_token_id=7)
    config.decoder_start_token_id = None
    assert hf.from_bart(BartModel(config)).start_id == 7


def test_presets_have_as_many_parameters_as_theirs():
    from transformers import BartConfig, BartModel, T5Config, T5ForConditionalGeneration

    with torch.device("meta"):
        base = dict(d_model=768, d_ff=2048, num_layers=12, num_heads=12)
        theirs = T5ForConditionalGeneration(T5Config(**base, feed_forward_proj="gated-gelu"))
        ours = Seq2Seq(EncoderConfig.t5_base())
        bart_base = dict(d_model=768, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=3072)
        bart_base |= dict(decoder_ffn_dim=3072, encoder_attention_heads=12)
        their_bart = BartModel(BartConfig(**bart_base, decoder_attention_heads=12))
        our_bart = Seq2Seq(EncoderConfig.bart_base())

    def count(model):
        return sum(p.numel() for p in set(model.parameters()))

    assert count(ours) == count(theirs)
    positions = 2 * 2 * 768  # the two rows of each table that no token has
    assert count(our_bart) == count(their_bart) - positions
