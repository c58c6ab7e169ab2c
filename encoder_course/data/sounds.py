"""Speech sounds made from published measurements: vowels of many speakers, no recording needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

RATE = 16_000  # samples per second
# Mean formants of men's vowels, in Hz: Peterson and Barney, Control methods used in a study of the
# vowels, 1952, table II. The name is the word between whose h and d the vowel was spoken.
FORMANTS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "heed": (270, 2290, 3010),
        "hid": (390, 1990, 2550),
        "head": (530, 1840, 2480),
        "had": (660, 1720, 2410),
        "hod": (730, 1090, 2440),
        "hawed": (570, 840, 2410),
        "hood": (440, 1020, 2240),
        "who'd": (300, 870, 2240),
        "hud": (640, 1190, 2390),
        "heard": (490, 1350, 1690),
    }
)
BANDWIDTHS = (80.0, 100.0, 150.0)  # Hz, of the three resonances: about as in speech
# Two more, much the same in all vowels. Without them a high second formant would be far too quiet.
HIGHER = ((3500.0, 200.0), (4500.0, 250.0))  # Hz: centre and width


@dataclass(frozen=True)
class Speaker:
    """What makes one voice differ from another."""

    pitch: float  # Hz, how often the vocal folds open
    tract: float  # all formants are multiplied by it: 1 is a man's vocal tract, shorter ones higher
    breath: float  # noise, as a share of the voice's loudness
    tilt: float  # 0 to 1: how much faster than 6 dB per octave high harmonics of the voice fade


@dataclass(frozen=True)
class Sound:
    """A waveform (samples), the vowel spoken, and the number of its speaker."""

    wave: Float[Tensor, " L"]
    vowel: str
    speaker: int


def draw_speaker(generator: torch.Generator) -> Speaker:
    """A voice: from low to high pitch, where a higher voice tends to have a shorter tract."""
    size, noise, tilt, own = torch.rand(4, generator=generator).tolist()
    return Speaker(
        pitch=90.0 * 2.6**size,
        tract=0.95 + 0.25 * size + 0.06 * (own - 0.5),
        breath=0.005 + 0.025 * noise,
        tilt=0.4 * tilt,
    )


def synthesise(
    formants: Sequence[float | int],
    speaker: Speaker,
    seconds: float | int = 0.3,
    generator: torch.Generator | None = None,
) -> Float[Tensor, " L"]:
    """A vowel by the source-filter model: a buzz of harmonics, and resonances that shape it.

    Each harmonic of the pitch is as loud as the resonances of the mouth let it through: how loud a
    formant is follows from where they all lie. The pitch falls a little, as it does at the end of
    a word. Fant, 1960. The wave's loudest sample is 1.
    ValueError for a formant, pitch or length that is not above 0.
    """
    if seconds <= 0 or speaker.pitch <= 0 or min(formants) <= 0:
        raise ValueError(
            f"formants {tuple(formants)}, pitch {speaker.pitch} and {seconds} s must be above 0"
        )
    time = torch.arange(round(seconds * RATE)) / RATE  # (L,)
    pitch = speaker.pitch * (1 - 0.1 * time / seconds)
    phase = 2 * math.pi * pitch.cumsum(0) / RATE
    wave = torch.zeros_like(time)
    resonances = [*zip(formants, BANDWIDTHS, strict=True), *HIGHER]
    for harmonic in range(1, int(RATE / 2 / speaker.pitch) + 1):
        hertz = harmonic * speaker.pitch
        loudness = harmonic ** -(1 + speaker.tilt)
        for centre, width in resonances:
            loudness *= resonance(hertz, centre * speaker.tract, width)
        wave += loudness * torch.sin(harmonic * phase)
    fade = (time / 0.02).clamp(max=1) * ((seconds - time) / 0.05).clamp(0, 1)  # no clicks
    wave = wave / wave.abs().amax()
    breath = torch.randn(len(time), generator=generator) * speaker.breath
    wave = (wave + breath) * fade
    return wave / wave.abs().amax()


def resonance(hertz: float | int, centre: float | int, width: float | int) -> float:
    """How much louder a resonance makes a frequency: 1 far below its centre, most near it."""
    ratio = hertz / centre
    return 1 / math.hypot(1 - ratio**2, ratio * width / centre)


def speech_sounds(
    speakers: Sequence[int],
    vowels: Sequence[str] = tuple(FORMANTS),
    seconds: float | int = 0.3,
    seed: int = 0,
) -> list[Sound]:
    """Each vowel by each speaker, once; the same numbers and seed give the same sounds.

    A speaker's voice follows from its number alone, so that two sets of numbers with none in
    common are two groups of people. Formants vary by 3 % from one utterance to the next.
    ValueError for an unknown vowel.
    """
    unknown = sorted(set(vowels) - set(FORMANTS))
    if unknown:
        raise ValueError(f"vowels {unknown} are not among {list(FORMANTS)}")
    sounds = []
    for number in speakers:
        voice = draw_speaker(torch.Generator().manual_seed(number))
        generator = torch.Generator().manual_seed(1_000_003 * (seed + 1) + number)
        for vowel in vowels:
            slips = 1 + 0.03 * torch.randn(3, generator=generator)
            formants = [f * s for f, s in zip(FORMANTS[vowel], slips.tolist(), strict=True)]
            sounds.append(Sound(synthesise(formants, voice, seconds, generator), vowel, number))
    return sounds


@dataclass(frozen=True)
class Utterance:
    """Several vowels in a row, somewhere in a noisy stretch of time."""

    wave: Float[Tensor, " L"]
    words: tuple[str, ...]
    speaker: int


def utter(
    words: Sequence[str],
    voice: Speaker,
    generator: torch.Generator,
    seconds: float | int = 0.9,
    noise: float | int = 0.07,
) -> Float[Tensor, " L"]:
    """Speak vowels one after the other, each 0.14 to 0.22 s long, with short gaps.

    They begin at a random moment that leaves time enough. noise: standard deviation of what else is
    heard, where the voice's loudest sample is 1. ValueError where the vowels may not fit.
    """
    longest = len(words) * (0.22 + 0.06)
    if longest > seconds:
        raise ValueError(f"{len(words)} vowels may take {longest:.2f} s, but there are {seconds} s")
    wave = torch.zeros(round(seconds * RATE))
    place = _between(0.0, seconds - longest, generator)
    for word in words:
        slips = 1 + 0.03 * torch.randn(3, generator=generator)
        formants = [f * s for f, s in zip(FORMANTS[word], slips.tolist(), strict=True)]
        length = _between(0.14, 0.22, generator)
        sound = synthesise(formants, voice, length, generator)
        start = round(place * RATE)
        wave[start : start + len(sound)] += sound
        place += length + _between(0.01, 0.06, generator)
    return wave + noise * torch.randn(len(wave), generator=generator)


def utterances(
    count: int,
    speakers: Sequence[int],
    texts: Sequence[tuple[str, ...]],
    seed: int = 0,
    **settings: float | int,
) -> list[Utterance]:
    """Random speakers saying random texts of the list; `settings` as for `utter`.

    The same arguments give the same utterances.
    """
    generator = torch.Generator().manual_seed(seed)
    spoken = []
    for _ in range(count):
        words = texts[int(torch.randint(len(texts), (1,), generator=generator))]
        number = speakers[int(torch.randint(len(speakers), (1,), generator=generator))]
        voice = draw_speaker(torch.Generator().manual_seed(number))
        spoken.append(Utterance(utter(words, voice, generator, **settings), words, number))
    return spoken


def _between(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * torch.rand(1, generator=generator).item()
