"""The audio encoder: parity with Whisper's, and what it refuses."""

import pytest
import torch
from transformers import WhisperConfig, WhisperModel

from encoder_course import hf
from encoder_course.nn.audio import AudioEncoder, audio_config, waves


def whisper():
    torch.manual_seed(0)
    settings = dict(vocab_size=50, num_mel_bins=10, d_model=24, encoder_layers=2, decoder_layers=1)
    settings |= dict(encoder_attention_heads=3, decoder_attention_heads=3, encoder_ffn_dim=40)
    settings |= dict(decoder_ffn_dim=40, max_source_positions=16, max_target_positions=8)
    settings |= dict(pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)
    model = WhisperModel(WhisperConfig(**settings)).double().eval()
    with torch.no_grad():  # biases start at 0, where one that is forgotten would not be seen
        for name, weight in model.encoder.named_parameters():
            if "positions" not in name:
                weight.add_(0.1 * torch.randn_like(weight))
    return model


def rows(count=2):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 32, 10, generator=generator, dtype=torch.float64)


def test_equal_to_whispers_encoder():
    """Their table of positions is float32, as ours: nothing else is rounded."""
    theirs = whisper()
    ours = hf.from_whisper(theirs)
    with torch.inference_mode():
        expected = theirs.encoder(rows().transpose(1, 2)).last_hidden_state
        torch.testing.assert_close(ours(rows()), expected, rtol=0, atol=1e-6)
        ours.positions = theirs.encoder.embed_positions.weight.detach()
        torch.testing.assert_close(ours(rows()), expected, rtol=0, atol=1e-10)
        ours.positions = torch.zeros_like(ours.positions)
        assert (ours(rows()) - expected).abs().max() > 1e-2


def test_positions_equal_whispers():
    theirs = whisper().encoder.embed_positions.weight.float()
    torch.testing.assert_close(waves(16, 24), theirs, rtol=0, atol=1e-6)


def test_one_vector_for_two_rows():
    model = AudioEncoder(audio_config(24, 1, 3, 40, 16), bands=10).double()
    assert model(rows()).shape == (2, 16, 24) and model(rows()[:, :7]).shape == (2, 4, 24)
    torch.testing.assert_close(model(rows())[1:], model(rows()[1:]), rtol=0, atol=1e-12)


def test_order_in_time_matters():
    model = AudioEncoder(audio_config(24, 1, 3, 40, 16), bands=10).double()
    backwards = model(rows().flip(1)).mean(dim=1)
    assert not torch.allclose(model(rows()).mean(dim=1), backwards, atol=1e-4)


def test_what_cannot_be_heard_is_named():
    model = AudioEncoder(audio_config(24, 1, 3, 40, 8), bands=10).double()
    with pytest.raises(ValueError, match="16 places, but the encoder knows 8"):
        model(rows())
    with pytest.raises(ValueError, match="9 bands, but 10"):
        model(rows()[..., :9])
    with pytest.raises(ValueError, match="dim must be even and at least 4, but it is 7"):
        waves(4, 7)
