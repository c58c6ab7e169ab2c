"""Real words by a speech program of the system, where it is installed: espeak-ng's many voices.

Nothing here is needed by the course. espeak-ng is free and comes with most systems' packages
(`apt install espeak-ng`, `brew install espeak-ng`); it is run as a program, and never imported.
"""

from __future__ import annotations

import io
import math
import shutil
import subprocess
import wave
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from encoder_course.data.sounds import RATE

PROGRAM = "espeak-ng"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = ("en", "en-us", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-rp", "en-029")
PEOPLE = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5")
LONGEST = 20  # seconds that one call may take


@dataclass(frozen=True)
class Spoken:
    """A waveform, the word spoken, and who spoke it."""

    wave: Float[Tensor, " L"]
    word: str
    person: str
    accent: str


def can_speak() -> bool:
    """Whether espeak-ng is on the search path."""
    return shutil.which(PROGRAM) is not None


def speak(text: str, voice: str = "en", speed: int = 150, pitch: int = 50) -> Float[Tensor, " L"]:
    """A text by one voice, at 16,000 samples per second; its loudest sample is 1.

    voice: espeak-ng's name, such as "en-us+f3": an accent, and a person; espeak-ng takes another
    voice, and does not say so, for a name that it does not know. speed: words per minute. pitch: 0
    to 99. RuntimeError where the program is lacking, fails, or says nothing.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise RuntimeError(f"{PROGRAM} is not installed, so nothing can be spoken")
    settings = ["-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", "--", text]
    done = subprocess.run([program, *settings], capture_output=True, timeout=LONGEST, check=False)
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip() or "no sound"
        raise RuntimeError(f"{PROGRAM} could not say {text!r} as {voice!r}: {said}")
    return _samples(done.stdout)


def spoken_words(
    words: Sequence[str] = DIGITS,
    people: Sequence[str] = PEOPLE,
    accents: Sequence[str] = ACCENTS,
    seconds: float | int = 1.0,
    noise: float | int = 0.02,
    seed: int = 0,
) -> list[Spoken]:
    """Each word by each person in each accent, from a random moment on, with some noise.

    Speed (130 to 180 words a minute) and pitch vary. The same arguments give the same sounds, as
    long as espeak-ng is the same. ValueError for a word that does not fit into the time.
    """
    generator = torch.Generator().manual_seed(seed)
    spoken = []
    for person in people:
        for accent in accents:
            for word in words:
                speed = 130 + int(torch.randint(51, (1,), generator=generator))
                pitch = 35 + int(torch.randint(31, (1,), generator=generator))
                sound = speak(word, f"{accent}+{person}", speed, pitch)
                heard = _placed(sound, round(seconds * RATE), generator)
                heard += noise * torch.randn(len(heard), generator=generator)
                spoken.append(Spoken(heard, word, person, accent))
    return spoken


def _placed(sound: Tensor, length: int, generator: torch.Generator) -> Tensor:
    spare = length - len(sound)
    if spare < 0:
        raise ValueError(
            f"a word takes {len(sound) / RATE:.2f} s, but there are {length / RATE:.2f} s"
        )
    start = int(torch.randint(spare + 1, (1,), generator=generator))
    return torch.cat([torch.zeros(start), sound, torch.zeros(spare - start)])


def _samples(data: bytes) -> Float[Tensor, " L"]:
    """The sound of a WAV file at our rate, without the silence around it.

    The length that espeak-ng writes at the head of a stream is a guess: what comes is read.
    """
    import numpy as np
    from scipy.signal import resample_poly

    with wave.open(io.BytesIO(data)) as file:
        rate = file.getframerate()
        numbers = np.frombuffer(file.readframes(len(data)), dtype="<i2")
    loud = np.flatnonzero(np.abs(numbers) > 0.01 * np.abs(numbers.astype(float)).max(initial=0))
    if not loud.size:
        raise RuntimeError(f"{PROGRAM} was silent")
    step = math.gcd(RATE, rate)
    kept = numbers[loud[0] : loud[-1] + 1].astype(float)
    sound = torch.from_numpy(resample_poly(kept, RATE // step, rate // step)).float()
    return sound / sound.abs().amax()
