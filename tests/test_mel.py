"""Log-mel spectrograms: each step against torch or Whisper's feature extractor."""

import numpy as np
import pytest
import torch
from transformers import WhisperFeatureExtractor
from transformers.audio_utils import mel_filter_bank

from encoder_course.nn import mel

SECONDS = torch.arange(2 * mel.RATE, dtype=torch.float64) / mel.RATE
TONE = torch.sin(2 * torch.pi * 440 * SECONDS)
NOISE = torch.randn(2, 8_123, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def theirs(sound, bands=80):
    extract = WhisperFeatureExtractor(feature_size=bands)
    rows = [np.asarray(row, dtype=np.float32) for row in sound]
    found = extract(rows, sampling_rate=mel.RATE, return_tensors="pt", padding="max_length")
    return found["input_features"].transpose(1, 2)  # (B, 3000, M)


def padded(sound):
    """To thirty seconds, as theirs pads."""
    return torch.nn.functional.pad(sound, (0, 30 * mel.RATE - sound.shape[-1]))


def test_power_equals_torchs_stft():
    window = torch.hann_window(400, dtype=torch.float64)
    expected = torch.stft(NOISE, 400, 160, window=window, return_complex=True).abs() ** 2
    torch.testing.assert_close(mel.power(NOISE), expected.transpose(1, 2), rtol=0, atol=1e-9)


@pytest.mark.parametrize("bands", [80, 128])
def test_filters_equal_those_of_transformers(bands):
    expected = mel_filter_bank(201, bands, 0.0, 8_000.0, 16_000, norm="slaney", mel_scale="slaney")
    torch.testing.assert_close(
        mel.mel_filters(bands), torch.from_numpy(expected), atol=1e-12, rtol=0
    )
    other = mel_filter_bank(201, bands, 0.0, 8_000.0, 16_000, norm="slaney", mel_scale="htk")
    assert (mel.mel_filters(bands) - torch.from_numpy(other)).abs().max() > 1e-3


@pytest.mark.parametrize("sound", [TONE[None], NOISE], ids=["tone", "noise"])
def test_log_mel_equals_whispers(sound):
    """Theirs computes in float32, so the rows agree to float32's precision."""
    ours = mel.log_mel(padded(sound))
    assert ours.shape == (len(sound), 3000, 80)
    torch.testing.assert_close(ours.float(), theirs(sound), rtol=0, atol=2e-4)
    without_square = mel.power(padded(sound))[:, :-1].sqrt() @ mel.mel_filters()
    assert (without_square.clamp_min(1e-10).log10() / 4 + 1 - ours).abs().max() > 0.1


def test_pitch_and_back():
    hertz = torch.tensor([0.0, 440.0, 999.0, 1000.0, 1001.0, 8000.0], dtype=torch.float64)
    torch.testing.assert_close(mel.to_hertz(mel.to_mel(hertz)), hertz, rtol=0, atol=1e-9)
    assert mel.to_mel(torch.tensor(1000.0)) == pytest.approx(15)


def test_a_tone_is_loudest_in_its_band():
    band = mel.log_mel(TONE)[50].argmax()
    assert mel.mel_filters()[440 // 40, band] > 0


def test_shapes_and_batches():
    assert mel.log_mel(NOISE).shape == (2, 8_123 // 160, 80)
    torch.testing.assert_close(mel.log_mel(NOISE)[1], mel.log_mel(NOISE[1]), rtol=0, atol=1e-12)


def test_louder_is_higher_until_the_floor():
    quiet = mel.log_mel(0.1 * NOISE[0])
    torch.testing.assert_close(mel.log_mel(NOISE[0]) - quiet, torch.full_like(quiet, 0.5))
    silence = mel.log_mel(torch.zeros(1_000))
    assert silence.isfinite().all() and silence.std() == 0


def test_what_cannot_be_heard_is_named():
    with pytest.raises(ValueError, match="200 samples, and at least 201"):
        mel.log_mel(torch.zeros(200))
    with pytest.raises(ValueError, match="0 samples"):
        mel.log_mel(torch.zeros(0))
    with pytest.raises(ValueError, match="not finite"):
        mel.log_mel(torch.full((1_000,), torch.nan))
    with pytest.raises(ValueError, match="at least one band, but 0"):
        mel.mel_filters(0)
