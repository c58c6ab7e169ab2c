"""Masked language modelling against replaced token detection, at equal work and at equal time.

    OMP_NUM_THREADS=1 python benchmarks/electra.py      # about an hour of one core

Both arms train the same encoder (4 layers x 128) on the same documentation by the course's recipe,
from the same counted embeddings. ELECTRA's generator is one layer of the same width. Along the
way, the frozen encoder is judged on two labels that the documentation brings along: the library
that a summary comes from, and the section that a text stands in. Features are means of token
vectors, standardised; the classifier is a logistic regression; objects for testing are others than
those for training. Work is counted by PyTorch's own counter of floating-point operations, time is
the processor time of one thread. The results are written to `encoder_course/pretrain/electra.json`,
which notebook 06 draws. Beside them stand the majority, words (TF-IDF) and the encoder as it was
before its first step.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import encoder_course.pretrain
from encoder_course.config import EncoderConfig
from encoder_course.nn import Encoder, MaskedLM
from encoder_course.nn.electra import Electra
from encoder_course.pretrain.loop import pretrain
from encoder_course.pretrain.prepare import PretrainingData, prepare
from encoder_course.pretrain.recipe import Recipe, start_from_counts
from encoder_course.pretrain.rows import count_steps, draw_masks
from encoder_course.tasks.baselines import MajorityClassifier, WordClassifier
from encoder_course.tasks.embed import SentenceEncoder

RESULTS = Path(encoder_course.pretrain.__file__).parent / "electra.json"
LIBRARIES = "matplotlib numpy pandas python scipy sklearn torch transformers".split()
SECTIONS = "summary description parameters returns notes raises".split()
PER_CLASS = {"train": 150, "test": 60}
LENGTH = 128  # tokens of a row
RATES = {"MLM": 0.3, "ELECTRA": 0.15}  # share of masked tokens, each arm's own custom


@dataclass(frozen=True)
class Example:
    """A text and what a classifier has to say of it."""

    text: str
    label: str


def downstream(data: PretrainingData) -> dict[str, dict[str, list[Example]]]:
    """Examples by task and split; an object is wholly in one split."""
    tasks = {
        "library": [(d, d.package) for d in data.corpus if d.section == "summary"],
        "section": [(d, d.section) for d in data.corpus],
    }
    allowed = {"library": LIBRARIES, "section": SECTIONS}
    found = {}
    for task, rows in tasks.items():
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).tolist()
        names: dict[str, str] = {}
        taken: Counter = Counter()
        found[task] = {split: [] for split in PER_CLASS}
        for number, i in enumerate(order):
            document, label = rows[i]
            split = names.setdefault(document.name, "test" if number % 4 == 0 else "train")
            if label not in allowed[task] or not 5 <= len(document.text.split()) <= 60:
                continue
            if taken[split, label] < PER_CLASS[split]:
                taken[split, label] += 1
                found[task][split].append(Example(document.text, label))
    return found


def judge(encoder: Encoder, data: PretrainingData, tasks: dict) -> dict[str, float]:
    """Accuracy of a logistic regression on the frozen encoder, for each task."""
    sentences = SentenceEncoder(encoder, data.tokenizer, normalise=False, max_len=LENGTH)
    accuracies = {}
    for task, splits in tasks.items():
        rows, labels = {}, {}
        for split, examples in splits.items():
            rows[split] = sentences.encode([example.text for example in examples]).numpy()
            labels[split] = [example.label for example in examples]
        # Features of a young encoder share one large direction; without scaling it is all one sees.
        classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
        classifier.fit(rows["train"], labels["train"])
        accuracies[task] = classifier.score(rows["test"], labels["test"])
    return accuracies


def new_arm(name: str, config: EncoderConfig, seed: int, vectors: Tensor) -> MaskedLM | Electra:
    torch.manual_seed(seed)
    electra = name == "ELECTRA"
    model = Electra(config.replace(layers=1), config, seed=seed) if electra else MaskedLM(config)
    start_from_counts(model.encoder.embed.token, vectors)
    return model


def work_of_a_step(model: MaskedLM | Electra, data: PretrainingData, recipe: Recipe) -> int:
    """Floating-point operations of one step, forward and backward, as PyTorch counts them."""
    inputs, labels = draw_masks(data.train[: recipe.batch_rows], data.vocab, recipe.mask_rate, 0, 0)
    counter = FlopCounterMode(display=False)
    with counter:
        model(inputs, labels=labels).backward()
    model.zero_grad()
    return counter.get_total_flops()


def run(name: str, config: EncoderConfig, seed: int, work: float, data, tasks) -> dict:
    """Train one arm until its work is done, and judge it four times on the way."""
    recipe = Recipe.course(mask_rate=RATES[name], bf16=True, seed=seed)
    model = new_arm(name, config, seed, data.vectors(config.dim))
    step_work = work_of_a_step(model, data, recipe)
    steps = round(work / step_work)
    points = [{"step": 0, "flops": 0, "cpu_seconds": 0.0, **judge(model.encoder, data, tasks)}]

    def on_score(history) -> None:
        last = history.scores[-1]
        point = {"step": last["step"], "flops": last["step"] * step_work}
        point |= {"cpu_seconds": last["cpu_seconds"], "guessing": last["loss"]}
        points.append(point | judge(model.encoder, data, tasks))

    pretrain(
        model, data.train, data.vocab, recipe, steps,
        heldout=data.heldout, evaluate_every=-(-steps // 4), on_score=on_score,
    )  # fmt: skip
    print(name, seed, points[-1], flush=True)
    return {"arm": name, "seed": seed, "flops_per_step": step_work, "points": points}


def main() -> None:
    """Run what has no result yet."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tokens", type=float, default=3e6, help="that MLM reads")
    options.add_argument("--seeds", type=int, default=3)
    asked = options.parse_args()
    torch.set_num_threads(1)
    data = prepare(LENGTH, heldout_rows=64)
    tasks = downstream(data)
    config = EncoderConfig.course(vocab_size=data.vocab.size, dim=128, ff_dim=320)
    recipe = Recipe.course(mask_rate=RATES["MLM"])
    work = work_of_a_step(new_arm("MLM", config, 0, data.vectors(config.dim)), data, recipe)
    work *= count_steps(asked.tokens, recipe.batch_rows, LENGTH)

    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"runs": []}
    examples = {t: {s: len(rows) for s, rows in splits.items()} for t, splits in tasks.items()}
    results |= {"tokens": asked.tokens, "flops": work, "examples": examples}
    results["versions"] = {"python": platform.python_version()}
    results["versions"] |= {name: version(name) for name in ("torch", "transformers", "tokenizers")}
    results["baselines"] = {
        kind: {
            task: baseline()
            .fit(splits["train"])
            .evaluate(splits["test"], resamples=0)["accuracy"]
            .value
            for task, splits in tasks.items()
        }
        for kind, baseline in (("majority", MajorityClassifier), ("words", WordClassifier))
    }
    done = {(r["arm"], r["seed"]) for r in results["runs"]}
    for seed in range(asked.seeds):
        for name in RATES:
            if (name, seed) not in done:
                results["runs"].append(run(name, config, seed, work, data, tasks))
                RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
