"""The fault that exercise 4.5 hides is where its answer says, and nowhere else."""

import pytest
import torch

from encoder_course.check.encoder import broken_copy, diagnosis
from encoder_course.config import EncoderConfig
from encoder_course.nn import Encoder, Sight

PARTS = ("attention", "attention_norm", "feed_forward", "feed_forward_norm")


def make(layers=6):
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig.tiny(layers=layers)).double().eval()
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return encoder


@torch.inference_mode()
def test_the_fault_is_found_by_following_the_outline():
    encoder = make()
    ids = torch.randint(5, 100, (3, 9), generator=torch.Generator().manual_seed(1))
    suspect = broken_copy(encoder)
    right, wrong = (model.inspect(ids).hidden for model in (encoder, suspect))
    layer = next(i for i, (a, b) in enumerate(zip(right, wrong, strict=True)) if not a.equal(b))
    pair = encoder.blocks[layer - 1], suspect.blocks[layer - 1]
    differs = []
    for part in PARTS:
        results = [
            getattr(block, part)(right[layer - 1], *([Sight()] if part == "attention" else []))
            for block in pair
        ]
        differs += [part] if not results[0].equal(results[1]) else []
    assert differs == ["attention"]
    assert diagnosis.judge(diagnosis.probe((layer, differs[0]))).passed


def test_the_original_stays_whole_and_shapes_stay_the_same():
    encoder = make()
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    suspect = broken_copy(encoder).state_dict()
    changed = [name for name, tensor in before.items() if not tensor.equal(suspect[name])]
    assert len(changed) == 1 and suspect[changed[0]].shape == before[changed[0]].shape
    assert all(tensor.equal(before[name]) for name, tensor in encoder.state_dict().items())


def test_too_few_layers_are_named():
    with pytest.raises(ValueError, match="2 layers are fewer than 3"):
        broken_copy(make(layers=2))
