"""Words of one's own over sources: an optional last step, by any model that takes a prompt."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Generator = Callable[[str], str]  # prompt -> text
URL, MODEL, KEY = (f"ENCODER_COURSE_GENERATOR_{name}" for name in ("URL", "MODEL", "KEY"))


def prompt(question: str, sources: Sequence[str]) -> str:
    """What a generator is told: answer from the numbered sources, cite them, or say no."""
    numbered = "\n".join(f"[{number}] {text}" for number, text in enumerate(sources, start=1))
    return (
        "Answer the question in one or two sentences, only from the sources below, and give the"
        " number of each source you use in square brackets. If the sources do not answer it, say"
        f" that they do not.\n\nSources:\n{numbered}\n\nQuestion: {question}\nAnswer:"
    )


@dataclass(frozen=True)
class ServedGenerator:
    """A model behind an address that speaks OpenAI's chat format, as most servers of models do.

    `url` is the address up to and including the version, such as ``http://localhost:8000/v1``.
    """

    url: str
    model: str
    key: str = ""
    timeout: float | int = 60  # seconds

    def __call__(self, prompt: str) -> str:
        """The model's text. ValueError where the address does not answer in that format."""
        body = {"model": self.model, "messages": [{"role": "user", "content": prompt}]}
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(
            f"{self.url.rstrip('/')}/chat/completions", json.dumps(body).encode(), headers
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as reply:
                return json.load(reply)["choices"][0]["message"]["content"].strip()
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"no answer from the generator at {self.url}: {error}") from error


def configured_generator() -> ServedGenerator | None:
    """The generator that the environment names, or None, where it names none.

    ``ENCODER_COURSE_GENERATOR_URL`` is the address, ``..._MODEL`` the model, ``..._KEY`` a key if
    one is needed. ValueError for an address without a model.
    """
    url, model = os.environ.get(URL), os.environ.get(MODEL)
    if not url:
        return None
    if not model:
        raise ValueError(f"{URL} is set but {MODEL} is not")
    return ServedGenerator(url, model, os.environ.get(KEY, ""))
