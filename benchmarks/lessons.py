"""What the lessons reach: both encoders and the baselines beside them, on the test splits.

    OMP_NUM_THREADS=1 python benchmarks/lessons.py      # about ten minutes of one core

It needs the index of ``python -m encoder_course index``. Every encoder and baseline gets what its
notebook gives it: the same training examples, settings and seed. The results are written to
`benchmarks/lessons.json`, and the table that README shows is printed.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from encoder_course import hf
from encoder_course.data.facts_in_docs import facts
from encoder_course.data.python_docs import python_docs
from encoder_course.data.questions_in_docs import SIDES, ask, choose, side
from encoder_course.data.written import load
from encoder_course.pretrain.state import load_checkpoint
from encoder_course.progress import track
from encoder_course.tasks import read_baselines, span_metrics
from encoder_course.tasks.answer import Answerer
from encoder_course.tasks.assistant import PackageIndex, questions, read_again
from encoder_course.tasks.baselines import MajorityClassifier, WordClassifier
from encoder_course.tasks.classify import FeatureClassifier
from encoder_course.tasks.contrastive import ContrastiveEncoder, distinct, summary_body_pairs
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.gazetteer import Gazetteer
from encoder_course.tasks.metrics import Metric, measure
from encoder_course.tasks.search import DocumentSearch, HybridSearch, Question, WordSearch
from encoder_course.tasks.tag import Tagger

RESULTS = Path(__file__).with_suffix(".json")
COLUMNS = ("baseline", "course encoder", "MiniLM")
Row = tuple[str, str, str, Mapping[str, Metric]]  # notebook, task, baseline, metric by column


def encoders() -> dict[str, tuple]:
    """Encoder and tokenizer of both, fresh: training changes weights."""
    model, tokenizer = load_checkpoint()
    return {"course encoder": (model.encoder, tokenizer), "MiniLM": hf.minilm()}


def classification() -> Iterator[Row]:
    """Logistic regression on frozen vectors, against the same on weighted words."""
    # Units, MiniLM's layers and both strengths are those that notebook 08 chooses in training.
    words, letters = dict(letters=False, strength=1), dict(letters=True, strength=10)
    last_four = dict(layers=(3, 4, 5, 6))
    tasks = (
        ("08", "verdict of a review", "reviews", "label", words, dict(layers=(4,)), 10),
        ("08", "desk of a message", "support", "label", letters, last_four, 1),
        ("08", "intent of a message", "support", "intent", letters, last_four, 10),
        ("09", "kind of a clause", "contracts", "clause", words, {}, 1),
    )
    for notebook, task, name, label, counted, layers, strength in tasks:
        train, test = load(name, "train"), load(name, "test")
        rivals = {"majority": MajorityClassifier(label=label)}
        rivals["baseline"] = WordClassifier(label=label, **counted)
        for column, pair in encoders().items():
            chosen = column == "MiniLM"
            encoder = SentenceEncoder(*pair, **layers if chosen else {})
            settings = dict(label=label, cache=False, strength=strength if chosen else 1)
            rivals[column] = FeatureClassifier(encoder, **settings)
        for rival in rivals.values():
            rival.fit(train, progress=False)
        found = {column: rival.evaluate(test)["accuracy"] for column, rival in rivals.items()}
        majority = found.pop("majority").value
        yield notebook, f"{task}: accuracy", f"TF-IDF (majority {majority:.2f})", found


def entities() -> Iterator[Row]:
    """Taggers, trained for less than a minute each, against a list of the names seen before."""
    train, test = load("contracts", "train"), load("contracts", "test")
    kept = [clause for i, clause in enumerate(train) if i % 5]  # as in the notebook
    found = {"baseline": Gazetteer().fit(kept).evaluate(test)["F1"]}
    settings = {"course encoder": dict(epochs=6, lr=1e-3), "MiniLM": dict(epochs=4, lr=5e-4)}
    for column, pair in encoders().items():
        given = settings[column]
        tagger = Tagger(*pair, max_len=128, transitions=1, head_lr=3e-3, batch=8, lr=given["lr"])
        tagger.fit(kept, epochs=given["epochs"], progress=False)
        found[column] = tagger.evaluate(test)["F1"]
    yield "09", "names in contracts: entity F1", "list of names", found


def reading() -> Iterator[Row]:
    """Readers of docstrings, asked in words that they have not seen in training."""
    known = facts(python_docs(progress=False), words=range(12, 40))
    sides = {name: [fact for fact in known if side(fact) == name] for name in SIDES}
    train = ask(choose(sides["train"], 600, seed=1))
    validation = ask(choose(sides["validation"], 100, seed=2))
    test = ask(choose(sides["test"], 200, seed=3), "new", seed=4)
    readers = {"silence": read_baselines.SilentReader(), "baseline": read_baselines.RuleReader()}
    settings = {"course encoder": dict(lr=1e-3, batch=12), "MiniLM": dict(lr=1.5e-4, batch=6)}
    for column, pair in encoders().items():
        reader = Answerer(*pair, max_len=160, stride=64, **settings[column])
        reader.fit(train, epochs=1, progress=False)
        reader.choose_threshold(validation)
        readers[column] = reader
    both = {}
    for column, reader in readers.items():
        said = reader.predict([q.question for q in test], [q.context for q in test])
        both[column] = span_metrics.scores(test, said)
    for place, name in enumerate(("exact match", "F1")):
        found = {c: measure(name, np.mean, scores[place]) for c, scores in both.items()}
        silence = found.pop("silence").value
        label = f"rules for the wording seen (silence {silence:.2f})"
        yield "10", f"questions on docstrings, worded anew: {name}", label, found


def embedding() -> Iterator[Row]:
    """Find the description of a summary among 300; the course encoder is trained to compare."""
    to_train, held_out = python_docs(progress=False).split()
    pairs, asked = (summary_body_pairs(part, words=24) for part in (to_train, held_out))
    pairs, asked = random.Random(0).sample(pairs, 384), random.Random(0).sample(asked, 300)
    asked = distinct(asked)
    words = WordSearch().fit([pair.second for pair in asked], progress=False)
    reports = {
        "baseline": words.evaluate([Question(p.first, frozenset([p.second])) for p in asked])
    }
    for column, (encoder, tokenizer) in encoders().items():
        own = ContrastiveEncoder(SentenceEncoder(copy.deepcopy(encoder), tokenizer, max_len=32))
        if column == "course encoder":
            own.fit(pairs, batch=32, lr=5e-4, progress=False)
        reports[column] = own.evaluate(asked)
    for name in ("found@10", "MRR@10"):
        found = {column: report[name] for column, report in reports.items()}
        yield "11", f"a summary's description among {len(asked)}: {name}", "BM25", found


def search() -> Iterator[Row]:
    """The written questions to the documentation of twelve packages, on the same passages."""
    hybrid = PackageIndex(SentenceEncoder.minilm()).search()
    meaning, words = hybrid.searches
    names = {passage.name for passage in hybrid.documents}
    asked = [question for question in questions("test") if question.right & names]
    own = DocumentSearch(SentenceEncoder(*encoders()["course encoder"]), cache=False)
    arms = {"course encoder": own.fit(hybrid.documents), "MiniLM": meaning}
    alone = {column: arm.evaluate(asked) for column, arm in arms.items()}
    both = {}
    for column, arm in arms.items():
        joined = HybridSearch([arm, words], hybrid.weights).use(hybrid.documents)
        both[column] = read_again(joined, arm.encoder).evaluate(asked)
    baseline = words.evaluate(asked)
    for name in ("found@10", "MRR@10"):
        task = f"{len(asked)} questions to {len(hybrid.documents):,} passages"
        for kind, reports in (("by meaning", alone), ("hybrid, read twice", both)):
            found = {column: report[name] for column, report in reports.items()}
            yield "12", f"{task}, {kind}: {name}", "BM25", found | {"baseline": baseline[name]}


def table(rows: list[dict]) -> str:
    """The rows of the results as README shows them."""
    lines = [
        "| | task and metric | baseline | course encoder | MiniLM |",
        "|---|---|---|---:|---:|",
    ]
    for row in rows:
        base, *others = (
            "{value:.2f} ({low:.2f} to {high:.2f})".format(**row["metrics"][c]) for c in COLUMNS
        )
        cells = [row["notebook"], row["task"], f"{row['baseline']}: {base}", *others]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    torch.manual_seed(0)
    rows = []
    parts = (classification, entities, reading, embedding, search)
    for part in track(parts, "lessons", True, unit=" lessons"):
        for notebook, task, baseline, found in part():
            metrics = {column: asdict(metric) for column, metric in found.items()}
            row = dict(notebook=notebook, task=task, baseline=baseline, metrics=metrics)
            rows.append(row)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
