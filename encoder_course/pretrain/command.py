"""``python -m encoder_course pretrain``: a course encoder from the documentation on this machine.

``torchrun --nproc-per-node 2 -m encoder_course pretrain`` does the same on two processes.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import torch

from encoder_course.config import EncoderConfig
from encoder_course.pretrain.card import model_card, software
from encoder_course.pretrain.evaluate import unigram_loss
from encoder_course.pretrain.loop import History, pretrain
from encoder_course.pretrain.prepare import new_model, prepare
from encoder_course.pretrain.recipe import Recipe
from encoder_course.pretrain.rows import count_steps
from encoder_course.pretrain.state import save_checkpoint
from encoder_course.repro import default_device
from encoder_course.text.tokenizer import Tokenizer
from encoder_course.viz.training import loss_curve


def parser() -> argparse.ArgumentParser:
    """The command's options and their defaults."""
    options = argparse.ArgumentParser(prog="python -m encoder_course pretrain", description=__doc__)
    options.add_argument("--folder", type=Path, default=Path("runs/course"), help="where it goes")
    options.add_argument("--tokens", type=float, default=4e6, help="training tokens, all epochs")
    options.add_argument("--length", type=int, default=128, help="tokens per row")
    options.add_argument("--batch-rows", type=int, default=None, help="rows per step")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--bf16", action="store_true", help="matrix products in half precision")
    options.add_argument("--threads", type=int, default=None, help="processor threads")
    options.add_argument("--packages", nargs="+", default=None, help="read these packages only")
    options.add_argument("--tokenizer", type=Path, default=None, help="a tokenizer.json to keep")
    options.add_argument("--heldout-rows", type=int, default=512)
    options.add_argument("--save-every", type=int, default=500, help="steps")
    options.add_argument("--layers", type=int, default=None, help="a smaller or a deeper encoder")
    options.add_argument("--dim", type=int, default=None, help="a narrower or a wider encoder")
    options.add_argument("--quiet", action="store_true", help="no progress bars")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run the command; killed and called again with the same options, it goes on."""
    from accelerate import PartialState

    asked = parser().parse_args(arguments)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    folder: Path = asked.folder
    device = default_device()
    state = PartialState(cpu=device.type == "cpu")
    with state.main_process_first():  # the others find its corpus and its tokenizer
        folder.mkdir(parents=True, exist_ok=True)
        kept = asked.tokenizer or folder / "tokenizer.json"
        data = prepare(
            asked.length,
            asked.packages,
            Tokenizer.load(kept) if kept.exists() else None,
            asked.heldout_rows,
            seed=asked.seed,
            progress=not asked.quiet,
        )
        if state.is_main_process:
            data.tokenizer.save(folder / "tokenizer.json")

    recipe = Recipe.course(seed=asked.seed, bf16=asked.bf16)
    if asked.batch_rows:
        recipe = recipe.replace(batch_rows=asked.batch_rows)
    size = {name: getattr(asked, name) for name in ("layers", "dim") if getattr(asked, name)}
    config = EncoderConfig.course(vocab_size=data.vocab.size, **size)
    steps = count_steps(asked.tokens, recipe.batch_rows, asked.length)
    model = new_model(config, recipe, data).to(device)
    words = Counter()
    for document in data.corpus:
        words[document.package] += len(document.text.split())
    plateau = unigram_loss(data.train, data.heldout, data.vocab)

    def report(history: History) -> None:
        score = history.scores[-1]
        print(
            f"{score['tokens']:>12,.0f} tokens {score['seconds']:>8,.0f} s"
            f"   loss {score['loss']:.3f}   accuracy {score['accuracy']:.3f}"
            f"   top-5 {score['top5']:.3f}",
            flush=True,
        )
        record = {
            "config": config.to_dict(),
            "recipe": asdict(recipe),
            "software": software(),
            "packages": data.corpus.packages,
            "package_words": words,
            "weights": sum(weight.numel() for weight in model.parameters()),
            "length": asked.length,
            "steps": steps,
            "train_tokens": data.train.numel(),
            "heldout_tokens": data.heldout.numel(),
            "unigram_loss": plateau,
            "seconds": history.seconds,
            "cpu_seconds": history.cpu_seconds,
            "scores": history.scores,
        }
        (folder / "history.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
        (folder / "README.md").write_text(model_card(record), "utf-8")
        loss_curve(history.scores, plateau).savefig(folder / "curve.png", dpi=150)

    pretrain(
        model,
        data.train,
        data.vocab,
        recipe,
        steps,
        heldout=data.heldout,
        evaluate_every=max(1, steps // 40),
        folder=folder,
        save_every=asked.save_every,
        on_score=report,
        progress=not asked.quiet,
    )
    if state.is_main_process:
        save_checkpoint(folder, model, data.tokenizer)
        print(f"saved in {folder}")
    return 0
