"""Pictures: patches as a convolution sees them, the ViT and CLIP equal to Hugging Face's."""

import math

import pytest
import torch
from torch.nn import functional as F

from encoder_course import hf
from encoder_course.config import EncoderConfig
from encoder_course.nn import Decoder
from encoder_course.nn.clip import CLIP, matching_loss
from encoder_course.nn.vision import PatchEmbedding, ViT, patches, pictures, vision_config

EXACT = dict(rtol=0, atol=1e-10)  # float64
SHAPE = dict(dim=16, layers=2, heads=4, ff_dim=24)
SMALL = dict(
    hidden_size=16, num_hidden_layers=3, num_attention_heads=4, intermediate_size=24, patch_size=2
)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def stir(model):
    """Weights large enough for every part to matter, in float64, without dropout."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.double().eval()


def their_vit(**changes):
    from transformers import ViTConfig, ViTModel

    return stir(ViTModel(ViTConfig(**{**SMALL, "image_size": (8, 12), **changes})))


def their_clip(act="gelu", **text):
    from transformers import CLIPConfig, CLIPModel

    words = dict(vocab_size=50, max_position_embeddings=12, pad_token_id=1, eos_token_id=49)
    shape = {name: size for name, size in SMALL.items() if name != "patch_size"}
    return stir(
        CLIPModel(
            CLIPConfig(
                text_config={**shape, **words, "hidden_act": act, **text},
                vision_config={**SMALL, "image_size": 8, "hidden_act": act},
                projection_dim=6,
            )
        )
    )


def texts():
    """Three texts that end in token 49, two of them padded."""
    ids = torch.randint(2, 48, (3, 9), generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor([[9], [4], [6]])
    keep = torch.arange(9) < lengths
    ids = ids.masked_fill(~keep, 1).scatter(1, lengths - 1, 49)
    return ids, keep


def column_major(images, side):
    """A wrong cut: down the columns of each patch before along its rows."""
    cut = images.unfold(2, side, side).unfold(3, side, side)
    return cut.permute(0, 2, 3, 5, 4, 1).flatten(3).flatten(1, 2)


def test_patches_by_hand():
    picture = torch.arange(16.0).view(1, 1, 4, 4)
    assert patches(picture, 2).tolist() == [
        [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    ]
    coloured = torch.stack([picture[0, 0], -picture[0, 0]])[None]  # two channels
    assert patches(coloured, 2)[0, 0].tolist() == [0, 0, 1, -1, 4, -4, 5, -5]


@pytest.mark.parametrize("side", [1, 2, 4])
def test_patches_are_put_together_again(side):
    images = draw(3, 2, 8, 12)
    cut = patches(images, side)
    assert cut.shape == (3, 96 // side**2, 2 * side**2)
    assert torch.equal(pictures(cut, side, 8, 2), images)


@pytest.mark.parametrize(("cut", "equal"), [(patches, True), (column_major, False)])
def test_a_projection_of_patches_is_a_strided_convolution(cut, equal):
    images, kernel, bias = draw(2, 3, 8, 12), draw(5, 3, 4, 4, seed=1), draw(5, seed=2)
    theirs = F.conv2d(images, kernel, bias, stride=4).flatten(2).mT  # (B, T, D)
    ours = F.linear(cut(images, 4), kernel.permute(0, 2, 3, 1).flatten(1), bias)
    assert torch.allclose(ours, theirs, **EXACT) == equal


def test_the_class_token_stands_first_and_every_place_has_its_own():
    embed = PatchEmbedding(6, (8, 12), 4).double()
    hidden = embed(torch.zeros(2, 1, 8, 12, dtype=torch.float64))
    assert hidden.shape == (2, 7, 6) and embed.grid == (2, 3)
    assert torch.equal(hidden[0, 0], embed.class_token + embed.positions[0])
    torch.testing.assert_close(hidden[1, 4], embed.project.bias + embed.positions[4])


def test_without_positions_patches_may_be_shuffled():
    model = stir(ViT(vision_config(**SHAPE), (8, 8), 2))
    images = draw(1, 1, 8, 8)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    shuffled = pictures(patches(images, 2)[:, order], 2, 8)
    assert not torch.allclose(model(images)[:, 0], model(shuffled)[:, 0], atol=1e-3)
    with torch.no_grad():
        model.embed.positions.zero_()
    torch.testing.assert_close(model(images)[:, 0], model(shuffled)[:, 0], **EXACT)
    torch.testing.assert_close(model(images)[:, 1:][:, order], model(shuffled)[:, 1:], **EXACT)


def test_a_trace_agrees_with_the_forward():
    model = stir(ViT(vision_config(**SHAPE), (8, 8), 2))
    images = draw(2, 1, 8, 8)
    trace = model.inspect(images)
    torch.testing.assert_close(trace.hidden[-1], model(images), **EXACT)
    assert len(trace.hidden) == 3 and trace.weights[0].shape == (2, 4, 17, 17)
    torch.testing.assert_close(trace.weights[1].sum(-1), torch.ones(2, 4, 17).double())


def test_vit_equals_theirs():
    model, images = their_vit(), draw(2, 3, 8, 12)
    ours = hf.from_vit(model)
    expected = model(pixel_values=images).last_hidden_state
    torch.testing.assert_close(ours(images), expected, **EXACT)
    single = ours.float()(images.float())
    torch.testing.assert_close(single.double(), expected, rtol=0, atol=1e-4)


def test_vit_with_patches_column_major_is_another_function(monkeypatch):
    model, images = their_vit(), draw(2, 3, 8, 12)
    monkeypatch.setattr("encoder_course.nn.vision.patches", column_major)
    expected = model(pixel_values=images).last_hidden_state
    assert (hf.from_vit(model)(images) - expected).abs().max() > 0.1


@pytest.mark.parametrize("act", ["gelu", "quick_gelu"])
def test_clip_equals_theirs(act):
    model, images, (ids, keep) = their_clip(act), draw(3, 3, 8, 8), texts()
    ours = hf.from_clip(model)
    theirs = model(input_ids=ids, pixel_values=images, attention_mask=keep.long(), return_loss=True)
    pictured, written = ours.encode_images(images), ours.encode_texts(ids, keep)
    torch.testing.assert_close(ours.logits(pictured, written), theirs.logits_per_image, **EXACT)
    torch.testing.assert_close(pictured, theirs.image_embeds, **EXACT)
    torch.testing.assert_close(written, theirs.text_embeds, **EXACT)
    torch.testing.assert_close(ours(images, ids, keep), theirs.loss, **EXACT)


def test_clip_with_the_other_gelu_is_another_function():
    images, (ids, keep) = draw(3, 3, 8, 8), texts()
    theirs = their_clip("quick_gelu")
    ours = hf.from_clip(their_clip("gelu"))
    logits = theirs(input_ids=ids, pixel_values=images, attention_mask=keep.long())
    found = ours.logits(ours.encode_images(images), ours.encode_texts(ids, keep))
    assert (found - logits.logits_per_image).abs().max() > 1e-3


def small_clip(temperature=0.07):
    words = EncoderConfig.tiny(
        norm="pre", embedding_norm=False, segments=0, dim=16, heads=2, ff_dim=24
    )
    return stir(CLIP(ViT(vision_config(**SHAPE), (8, 8), 2), Decoder(words), 6, temperature))


def test_padding_changes_no_text_vector():
    model, (ids, keep) = small_clip(), texts()
    alone = torch.cat(
        [model.encode_texts(row[kept][None]) for row, kept in zip(ids, keep, strict=True)]
    )
    torch.testing.assert_close(model.encode_texts(ids, keep), alone, **EXACT)
    torch.testing.assert_close(alone.norm(dim=-1), torch.ones(3).double())


def test_the_loss_by_hand():
    logits = torch.tensor([[2.0, 0.0], [1.0, 3.0]], dtype=torch.float64)
    rows = math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-2))
    columns = math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-3))
    assert matching_loss(logits).item() == pytest.approx((rows + columns) / 4)
    assert matching_loss(logits.T).item() == pytest.approx(matching_loss(logits).item())
    one_sided = F.cross_entropy(logits, torch.arange(2))
    assert abs(one_sided - matching_loss(logits)) > 0.01
    assert matching_loss(torch.zeros(8, 8)).item() == pytest.approx(math.log(8))


def test_the_temperature_is_learned_and_kept_in_bounds():
    model, (ids, keep) = small_clip(), texts()
    with torch.no_grad():
        model.log_scale.fill_(-math.log(0.07))
    assert model.temperature == pytest.approx(0.07)
    model(draw(3, 1, 8, 8), ids, keep).backward()
    assert model.log_scale.grad.abs() > 0
    with torch.no_grad():
        model.log_scale.fill_(9.0)
    model.clamp()
    assert model.temperature == pytest.approx(0.01)


def test_what_goes_wrong_is_named():
    images = draw(2, 1, 8, 9)
    with pytest.raises(ValueError, match="8 x 9 pixels cannot be cut into 4 x 4"):
        patches(images, 4)
    with pytest.raises(ValueError, match="cannot be cut into 3 x 3"):
        PatchEmbedding(6, (8, 8), 3)
    with pytest.raises(ValueError, match=r"\(1, 8, 9\) but the encoder has positions for"):
        PatchEmbedding(6, (8, 8), 2).double()(images)
    with pytest.raises(ValueError, match="6 patches of 5 numbers are no picture"):
        pictures(draw(1, 6, 5), 2, 4)
    with pytest.raises(ValueError, match="positions 'none'"):
        ViT(EncoderConfig.tiny(), (8, 8), 2)
    with pytest.raises(ValueError, match="temperature must be above 0"):
        small_clip(temperature=0)
    with pytest.raises(ValueError, match="2 pictures and 3 texts are no pairs"):
        matching_loss(torch.zeros(2, 3))
    ids, keep = texts()
    with pytest.raises(ValueError, match="no token to keep"):
        small_clip().encode_texts(ids, torch.zeros_like(keep))
    with pytest.raises(ValueError, match="hidden_act is 'relu'"):
        hf.from_vit(their_vit(hidden_act="relu"))
    with pytest.raises(ValueError, match="hidden_act is 'relu'"):
        hf.from_clip(their_clip("relu"))
