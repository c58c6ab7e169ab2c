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
    utter,
    utterances,
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


@pytest.mark.parametrize("vowel", FORMANTS)
def test_no_formant_is_lost_in_the_breath(vowel):
    """How loud each is follows from the model: the second of "heed" is quiet, but there."""
    voice = Speaker(pitch=100.0, tract=1.0, breath=0.03, tilt=0.4)
    wave = synthesise(FORMANTS[vowel], voice, 0.5, torch.Generator().manual_seed(0))
    _, second, _ = FORMANTS[vowel]
    assert energy(wave, second - 100, second + 100) > 2 * energy(wave, 6_000, 8_000)


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


def test_utterances_are_spoken_by_the_speakers_and_from_the_texts_given():
    texts = [("heed", "hod"), ("hod", "heed")]
    one, again = (utterances(12, [5, 6], texts, seed=3) for _ in range(2))
    assert {spoken.words for spoken in one} == set(texts)
    assert {spoken.speaker for spoken in one} == {5, 6}
    assert all(len(spoken.wave) == 14_400 for spoken in one)
    assert all(torch.equal(a.wave, b.wave) for a, b in zip(one, again, strict=True))


def test_the_order_of_the_words_can_be_heard():
    early, late = (
        utter(words, CLEAR, torch.Generator().manual_seed(0), seconds=0.6, noise=0.0)
        for words in (("heed", "hod"), ("hod", "heed"))
    )
    quarter = 4_000  # samples, 0.25 s: most of the first vowel and nothing of the second

    def share(wave):
        return energy(wave[:quarter], 2_200, 2_400) / energy(wave[:quarter], 600, 1_200)

    assert share(early) > 3 * share(late)


def test_vowels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"3 vowels may take 0\.84 s, but there are 0\.7 s"):
        utter(("heed", "hod", "had"), CLEAR, torch.Generator(), seconds=0.7)
