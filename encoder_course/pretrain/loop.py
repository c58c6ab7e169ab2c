"""One training loop, on Accelerate: one process or many, a CPU or a GPU, the same code."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int
from torch import Tensor

from encoder_course.nn import MaskedLM
from encoder_course.pretrain.evaluate import evaluate
from encoder_course.pretrain.recipe import Recipe, make_optimizers, schedule
from encoder_course.pretrain.rows import Vocabulary, draw_masks, step_rows
from encoder_course.pretrain.state import load_state, save_state
from encoder_course.progress import track
from encoder_course.text.masking import NOT_ASKED

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass
class History:
    """What happened: one entry per step, and one per look at the held-out rows."""

    steps: list[dict[str, float | int]] = field(default_factory=list)  # step, tokens, loss
    scores: list[dict[str, float | int]] = field(default_factory=list)  # with the fields of Score
    seconds: float = 0.0  # wall time of the steps, evaluation left out
    cpu_seconds: float = 0.0  # processor time of the steps, all threads

    def column(self, name: str, of: str = "scores") -> list[float | int]:
        """One column of `scores` (or of "steps") as a list, ready to plot."""
        return [entry[name] for entry in getattr(self, of)]


def pretrain(
    model: MaskedLM,
    rows: Int[Tensor, "R T"],
    vocab: Vocabulary,
    recipe: Recipe,
    steps: int,
    *,
    heldout: Int[Tensor, "Q T"] | None = None,
    evaluate_every: int | None = None,
    folder: Path | str | None = None,
    save_every: int = 500,
    stop_after: int | None = None,
    on_score: Callable[[History], None] | None = None,
    progress: bool = True,
) -> History:
    """Train `model` in place for `steps` steps of `recipe` and return what happened.

    `heldout` rows are scored every `evaluate_every` steps (default: ten times in all) and at the
    end; the main process then calls `on_score` with the history. With `folder`, the state is saved
    there every `save_every` steps, and a run that finds a state there goes on from it: killed and
    resumed, the curve is that of an undisturbed run. A resumed run may be given more or fewer
    `steps`: the schedule then leads to the new end. `stop_after` ends the run early without
    changing the schedule. ValueError when the folder holds the state of a run with other settings.
    """
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=next(model.parameters()).is_cpu)
    trained, *optimizers = accelerator.prepare(model, *make_optimizers(model, recipe))
    plan = {"recipe": asdict(recipe), "model": model.config.to_dict()}
    plan |= {"rows": list(rows.shape), "vocabulary": vocab.size}
    history = History()
    if folder is not None:
        history = History(**load_state(folder, plan, model, optimizers))
    evaluate_every = evaluate_every or max(1, steps // 10)
    first, last = len(history.steps), min(steps, stop_after or steps)

    watched = progress and accelerator.is_main_process
    bar = track(range(first, last), "pretrain", watched, initial=first, total=steps)
    model.train()
    for step in bar:
        wall, cpu = time.perf_counter(), time.process_time()
        set_learning_rate(optimizers, schedule(step, steps, recipe.warmup))
        loss = train_step(accelerator, trained, optimizers, rows, vocab, recipe, step)
        history.seconds += time.perf_counter() - wall
        history.cpu_seconds += time.process_time() - cpu
        tokens = (step + 1) * recipe.batch_rows * rows.shape[1]
        history.steps.append({"step": step + 1, "tokens": tokens, "loss": loss})
        bar.set_postfix(loss=f"{loss:.2f}", refresh=False)
        done = step + 1
        if heldout is not None and (done % evaluate_every == 0 or done == steps):
            score = asdict(evaluate(model, heldout, vocab))
            times = {"seconds": history.seconds, "cpu_seconds": history.cpu_seconds}
            history.scores.append({"step": done, "tokens": tokens, **times, **score})
            if on_score is not None and accelerator.is_main_process:
                on_score(history)
        if folder is not None and (done % save_every == 0 or done == last):
            if accelerator.is_main_process:
                save_state(folder, plan, model, optimizers, asdict(history))
            accelerator.wait_for_everyone()
    model.eval()
    return history


def train_step(
    accelerator: Accelerator,
    model: torch.nn.Module,
    optimizers: list[Any],
    rows: Int[Tensor, "R T"],
    vocab: Vocabulary,
    recipe: Recipe,
    step: int,
) -> float:
    """Mask, guess, blame, correct: one step; returns its loss over the batch of all processes."""
    batch = rows[step_rows(len(rows), recipe.batch_rows, recipe.seed, step)]
    inputs, labels = draw_masks(batch, vocab, recipe.mask_rate, recipe.seed, step)
    asked = int((labels != NOT_ASKED).sum())

    # Every process draws the whole batch and takes its share, weighted by how much it asks, so
    # that the average over processes is the loss that a single process would have.
    mine = slice(accelerator.process_index, None, accelerator.num_processes)
    inputs, labels = inputs[mine].to(accelerator.device), labels[mine].to(accelerator.device)
    share = int((labels != NOT_ASKED).sum()) * accelerator.num_processes / max(asked, 1)

    with torch.autocast(accelerator.device.type, torch.bfloat16, enabled=recipe.bf16):
        loss = model(inputs, labels=labels) * share
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(model.parameters(), recipe.clip)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
    return float(accelerator.reduce(loss.detach().float(), reduction="mean"))


def set_learning_rate(optimizers: list[Any], factor: float) -> None:
    """Scale every group's learning rate from its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor
