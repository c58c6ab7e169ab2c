"""Synthesised vowels: energy where the formants are, speakers that differ, the same seed again."""

import pytest
import torch

from encoder_course.data.sounds import (
    FORMANTS,
    RATE,
    Speaker,
    draw_speaker,
    resonance,
    speech_sounds,
    synthesise,
)

CLEAR = Speaker(pitch=100.0, tract=1.0, breath=0.0, tilt=0.3)


def energy(wave, low, high):
    spectrum = torch.fft.rfft(wave).abs() ** 2
    hertz = torch.fft.rfftfreq(len(wave), 1 / RATE)
    return spectrum[(hertz >= low) & (hertz < high)].mean().item()


@pytest.mark.parametrize("vowel", FORMANTS)
def test_energy_gathers_at_the_formants(vowel):
    wave = synthesise(FORMANTS[vowel], CLEAR, 0.5)
    first, second, _ = FORMANTS[vowel]
    assert energy(wave, first - 100, first + 100) > 3 * energy(wave, first + 300, first + 500) or (
        second - first < 700  # the second formant lies there
    )
    assert energy(wave, second - 100, second + 100) > 3 * energy(wave, 4_000, 5_000)


def test_a_shorter_tract_moves_the_formants_up():
    small = Speaker(pitch=100.0, tract=1.2, breath=0.0, tilt=0.3)
    man, child = (synthesise(FORMANTS["heed"], who, 0.5) for who in (CLEAR, small))
    high = (1.2 * 2290 - 100, 1.2 * 2290 + 100)
    assert energy(child, *high) / energy(child, 2190, 2390) > energy(man, *high) / energy(
        man, 2190, 2390
    )


def test_a_resonance_is_loudest_near_its_centre():
    heights = {hertz: resonance(hertz, 500, 80) for hertz in (1, 300, 500, 700, 4_000)}
    assert max(heights, key=heights.get) == 500
    assert heights[1] == pytest.approx(1, abs=1e-3) and heights[4_000] < 0.05


def test_waves_are_as_loud_and_as_long_as_said():
    wave = synthesise(FORMANTS["hod"], CLEAR, 0.25)
    assert len(wave) == 4_000 and wave.abs().max() == pytest.approx(1)
    assert wave[0] == 0 and wave[-1].abs() < 0.01


def test_the_same_numbers_give_the_same_sounds():
    one, again, other = (speech_sounds([3, 4], seed=seed) for seed in (0, 0, 1))
    assert len(one) == 2 * len(FORMANTS)
    assert all(torch.equal(a.wave, b.wave) for a, b in zip(one, again, strict=True))
    assert not any(torch.equal(a.wave, b.wave) for a, b in zip(one, other, strict=True))
    alone = speech_sounds([4])
    assert torch.equal(alone[0].wave, one[len(FORMANTS)].wave)


def test_speakers_differ():
    voices = [draw_speaker(torch.Generator().manual_seed(number)) for number in range(40)]
    pitches = [voice.pitch for voice in voices]
    assert min(pitches) < 110 and max(pitches) > 200
    assert len(set(pitches)) == 40


def test_what_cannot_be_spoken_is_named():
    with pytest.raises(ValueError, match=r"vowels \['hoot'\] are not among"):
        speech_sounds([0], ["hoot"])
    with pytest.raises(ValueError, match="0 s must be above 0"):
        synthesise((500, 1_500, 2_500), CLEAR, 0)
    with pytest.raises(ValueError, match="must be above 0"):
        synthesise((0, 1_500, 2_500), CLEAR)
