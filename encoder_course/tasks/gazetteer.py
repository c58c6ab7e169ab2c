"""Finding names by looking them up: the baseline that every tagger has to beat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from encoder_course.tasks.span_tagger import SpanTagger
from encoder_course.text.bio import to_tags, word_places


class Gazetteer(SpanTagger):
    """A list of the names in the training spans, looked up: what memory alone can do.

    A name is listed where at least `share` of its occurrences in the training texts are spans of
    its label (the word "May" may be more often a verb than a person). Capitals count. The longest
    name wins, from left to right.
    """

    def __init__(self, *, share: float = 0.5) -> None:
        super().__init__(share=share)
        self.entries: dict[tuple[str, ...], str] = {}

    def learn(self, examples, validation, plan, seed, progress) -> None:
        marked: Counter[tuple[tuple[str, ...], str]] = Counter()
        for example in examples:
            places = word_places(example.text)
            to_tags(places, example.spans)  # for its errors
            for start, end, label in example.spans:
                inside = tuple(example.text[a:b] for a, b in places if start <= a and b <= end)
                marked[inside, label] += 1
        names = {name for name, _ in marked}
        lengths = sorted({len(name) for name in names})
        seen: Counter[tuple[str, ...]] = Counter()
        for example in examples:
            words = [example.text[a:b] for a, b in word_places(example.text)]
            for length in lengths:
                runs = (tuple(words[i : i + length]) for i in range(len(words) - length + 1))
                seen.update(run for run in runs if run in names)
        self.entries = {}
        for (name, label), count in sorted(marked.items(), key=lambda item: item[1]):
            if count >= self.settings["share"] * seen[name]:
                self.entries[name] = label  # of two labels the more frequent one, which comes last

    def tags(self, texts: Sequence[str]) -> list[list[str]]:
        longest = max(map(len, self.entries), default=0)
        return [self.look_up(text, longest) for text in texts]

    def look_up(self, text: str, longest: int) -> list[str]:
        """The tags of one text."""
        words = [text[start:end] for start, end in word_places(text)]
        tags: list[str] = []
        while len(tags) < len(words):
            at = len(tags)
            for length in range(min(longest, len(words) - at), 0, -1):
                label = self.entries.get(tuple(words[at : at + length]))
                if label is not None:
                    tags += [f"B-{label}"] + [f"I-{label}"] * (length - 1)
                    break
            else:
                tags.append("O")
        return tags

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return {}, {"entries": [[*name, label] for name, label in self.entries.items()]}

    def restore(self, tensors: dict[str, Tensor], learnt: dict[str, Any]) -> None:
        self.entries = {tuple(name): label for *name, label in learnt["entries"]}
