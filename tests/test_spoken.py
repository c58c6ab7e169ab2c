"""Words spoken by espeak-ng, where it is installed; what is said where it is not."""

import io
import wave

import numpy as np
import pytest
import torch

from encoder_course.data import spoken
from encoder_course.data.sounds import RATE

needs_espeak = pytest.mark.skipif(not spoken.can_speak(), reason="espeak-ng is not installed")


def wav(numbers, rate):
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(numbers, dtype="<i2").tobytes())
    return stream.getvalue()


def test_a_tone_keeps_its_pitch_at_another_rate_and_loses_its_silence():
    time = np.arange(22_050) / 22_050
    tone = np.concatenate([np.zeros(5_000), 8_000 * np.sin(2 * np.pi * 440 * time), np.zeros(500)])
    sound = spoken._samples(wav(tone, 22_050))
    assert len(sound) == pytest.approx(RATE, abs=40) and sound.abs().max() == pytest.approx(1)
    spectrum = torch.fft.rfft(sound).abs()
    assert torch.fft.rfftfreq(len(sound), 1 / RATE)[spectrum.argmax()].item() == pytest.approx(
        440, abs=2
    )


def test_silence_is_named():
    with pytest.raises(RuntimeError, match="was silent"):
        spoken._samples(wav(np.zeros(100), 22_050))


def test_without_the_program_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not spoken.can_speak()
    with pytest.raises(RuntimeError, match="espeak-ng is not installed"):
        spoken.speak("seven")


@needs_espeak
def test_words_differ_and_voices_differ():
    seven, six = spoken.speak("seven"), spoken.speak("six")
    assert 0.2 * RATE < len(six) and 0.2 * RATE < len(seven) < 2 * RATE
    assert torch.equal(seven, spoken.speak("seven"))
    voices = [f"{accent}+{person}" for accent in spoken.ACCENTS for person in spoken.PEOPLE]
    sounds = {spoken.speak("nine", voice).numpy().tobytes() for voice in voices}
    assert len(sounds) == len(voices)  # espeak-ng takes another voice for a name it does not know


@needs_espeak
def test_each_word_by_each_person_in_each_accent():
    made, again = (
        spoken.spoken_words(("one", "two"), ("m1", "f1"), ("en", "en-us")) for _ in range(2)
    )
    assert len({(one.word, one.person, one.accent) for one in made}) == len(made) == 8
    assert all(one.wave.shape == (RATE,) for one in made)
    assert all(torch.equal(a.wave, b.wave) for a, b in zip(made, again, strict=True))


@needs_espeak
def test_what_cannot_be_said_is_named():
    with pytest.raises(RuntimeError, match="was silent|could not say"):
        spoken.speak(" ")
    with pytest.raises(ValueError, match=r"but there are 0\.10 s"):
        spoken.spoken_words(("seven",), ("m1",), ("en",), seconds=0.1)
