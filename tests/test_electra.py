"""Replaced token detection: laws of the game, gradients, parity with Hugging Face's ELECTRA."""

import pytest
import torch
from torch.nn import functional as F
from transformers import ElectraConfig, ElectraForPreTraining

from encoder_course import hf
from encoder_course.config import EncoderConfig
from encoder_course.nn.electra import Discriminator, Electra
from encoder_course.text.masking import NOT_ASKED, mask_tokens

MASK = 4
SMALL = EncoderConfig.tiny(layers=1)


def game(seed=0, **settings):
    torch.manual_seed(seed)
    return Electra(SMALL, EncoderConfig.tiny(), **settings).eval()


def masked(rows=4, rate=0.3):
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(5, 100, (rows, 16), generator=generator)
    maskable = torch.ones_like(ids, dtype=torch.bool)
    inputs, labels = mask_tokens(ids, maskable, MASK, 100, generator, rate)
    return ids, inputs, labels


def test_only_masked_positions_are_forged_and_no_mask_is_left():
    ids, inputs, labels = masked()
    played = game().play(inputs, labels=labels)
    asked = labels != NOT_ASKED
    assert torch.equal(played.forged[~asked], ids[~asked])
    assert torch.equal(played.replaced, played.forged != ids)
    assert not played.replaced[~asked].any() and played.replaced[asked].any()
    assert played.scores.shape == ids.shape


def test_a_lucky_draw_counts_as_original():
    ids, inputs, labels = masked()
    model = game()
    model.draw = lambda logits: labels[labels != NOT_ASKED]
    played = model.play(inputs, labels=labels)
    assert torch.equal(played.forged, ids) and not played.replaced.any()
    torch.testing.assert_close(played.detection, F.softplus(played.scores).mean())


def test_the_joint_loss_is_the_sum_of_both():
    _, inputs, labels = masked()
    played = game().play(inputs, labels=labels)
    assert game(weight=7)(inputs, labels=labels) == played.guessing + 7 * played.detection
    loss = F.cross_entropy(
        game().generator.logits(inputs, at=labels != NOT_ASKED), labels[labels != NOT_ASKED]
    )
    torch.testing.assert_close(played.guessing, loss)


def test_draws_follow_the_generator():
    chances = torch.tensor([0.7, 0.2, 0.1])
    drawn = game().draw(chances.log().expand(20_000, 3))
    shares = torch.bincount(drawn, minlength=3) / len(drawn)
    torch.testing.assert_close(shares, chances, rtol=0, atol=0.02)
    assert game().draw(torch.empty(0, 3)).shape == (0,)


def test_no_gradient_passes_through_a_draw():
    _, inputs, labels = masked()
    model = game()
    model.play(inputs, labels=labels).detection.backward()
    generator = model.generator
    own = [
        p for n, p in generator.named_parameters() if "embed.token" not in n and n != "head.weight"
    ]
    assert own and all(p.grad is None for p in own)
    shared = model.encoder.embed.token
    assert shared is generator.encoder.embed.token and shared.weight.grad.abs().sum() > 0
    assert generator.head.weight is shared.weight
    assert all(p.grad is not None for p in model.discriminator.parameters())


def test_padding_is_neither_judged_nor_seen():
    _, inputs, labels = masked()
    keep = torch.ones_like(inputs, dtype=torch.bool)
    keep[:, 12:] = False
    labels = labels.masked_fill(~keep, NOT_ASKED)
    one = game().play(inputs, keep, labels)
    other = game().play(inputs.masked_fill(~keep, 9), keep, labels)
    torch.testing.assert_close(one.detection, other.detection)
    short = game().play(inputs[:, :12], None, labels[:, :12])
    torch.testing.assert_close(one.detection, short.detection)


def test_a_batch_that_asks_nothing_still_trains_the_discriminator():
    ids, _, _ = masked()
    played = game().play(ids, labels=torch.full_like(ids, NOT_ASKED))
    assert played.guessing == 0 and played.detection > 0 and torch.equal(played.forged, ids)


def test_the_game_can_be_learnt():
    """Rows that repeat one token: whoever is another one was forged."""
    torch.manual_seed(0)
    model = Electra(SMALL, EncoderConfig.tiny())
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(250):
        ids = torch.randint(5, 25, (16, 1), generator=generator).expand(16, 16).contiguous()
        inputs, labels = mask_tokens(ids, torch.ones_like(ids).bool(), MASK, 100, generator, 0.3)
        optimizer.zero_grad()
        model(inputs, labels=labels).backward()
        optimizer.step()
    forged = ids.clone()
    forged[:, 3] = (ids[:, 3] - 5 + 7) % 20 + 5
    scores = model.eval().discriminator(forged)
    assert (scores[:, 3] > scores.median(dim=1).values).float().mean() > 0.9


def parity(**changes):
    torch.manual_seed(0)
    settings = dict(vocab_size=50, embedding_size=24, hidden_size=24, num_hidden_layers=2)
    settings |= dict(num_attention_heads=3, intermediate_size=40, max_position_embeddings=16)
    theirs = ElectraForPreTraining(ElectraConfig(**settings | changes)).double().eval()
    with torch.no_grad():  # biases start at 0, where one that is forgotten would not be seen
        for weight in theirs.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return theirs


def test_equal_to_electra():
    theirs = parity()
    ours = hf.from_electra(theirs)
    ids = torch.randint(1, 50, (3, 12))
    keep = torch.arange(12) < torch.tensor([12, 9, 5])[:, None]
    segments = (torch.arange(12) > 4).long().expand(3, 12).contiguous()
    expected = theirs(ids, attention_mask=keep.long(), token_type_ids=segments).logits
    found = ours(ids, keep, segments)
    torch.testing.assert_close(found[keep], expected[keep], rtol=0, atol=1e-10)
    ours.transform.bias.data += 1e-3
    assert not torch.allclose(ours(ids, keep, segments)[keep], expected[keep], atol=1e-6)


def test_what_cannot_be_is_named():
    with pytest.raises(ValueError, match="dim 16 and the discriminator 32"):
        Electra(EncoderConfig.tiny(dim=16), EncoderConfig.tiny())
    with pytest.raises(ValueError, match="labels are None"):
        game().play(torch.ones(1, 2).long())
    with pytest.raises(ValueError, match="embedding_size is 8"):
        hf.from_electra(parity(embedding_size=8))
    assert isinstance(hf.from_electra(parity()), Discriminator)
