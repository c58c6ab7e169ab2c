"""The recipe of 2018 against ours, one change at a time, on the same documents and questions.

    python benchmarks/recipe.py                     # about half an hour of one core
    python benchmarks/recipe.py --only "+ Muon"     # one arm, the others as they were

Every arm reads the same number of tokens of the documentation on this machine and is judged on the
same held-out rows with the same 15 % masks. Times are processor seconds of one thread, because
they are hardly disturbed by what else runs on the machine. The results are written to
`encoder_course/pretrain/ladder.json`, which notebook 05 draws. The last arm is a peer: Hugging
Face's ModernBERT of the same size, trained from scratch by the same loop.
"""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

import encoder_course.pretrain
from encoder_course.config import EncoderConfig
from encoder_course.pretrain.evaluate import unigram_loss
from encoder_course.pretrain.loop import pretrain
from encoder_course.pretrain.prepare import PretrainingData, new_model, prepare
from encoder_course.pretrain.recipe import Recipe, ladder
from encoder_course.pretrain.rows import count_steps
from encoder_course.text.masking import NOT_ASKED

RESULTS = Path(encoder_course.pretrain.__file__).parent / "ladder.json"
PEER = "Hugging Face ModernBERT"


class HuggingFacePeer(nn.Module):
    """ModernBertForMaskedLM behind the interface of our `MaskedLM`."""

    def __init__(self, config: EncoderConfig) -> None:
        from transformers import ModernBertConfig, ModernBertForMaskedLM

        super().__init__()
        self.config = config
        self.encoder = nn.Module()
        self.encoder.blocks = nn.ModuleList()
        settings = dict(vocab_size=config.vocab_size, hidden_size=config.dim)
        settings |= dict(num_hidden_layers=config.layers, num_attention_heads=config.heads)
        settings |= dict(intermediate_size=config.ff_dim, max_position_embeddings=config.max_len)
        settings |= dict(pad_token_id=0, bos_token_id=2, cls_token_id=2, eos_token_id=3)
        settings |= dict(sep_token_id=3, attn_implementation="sdpa")
        self.model = ModernBertForMaskedLM(ModernBertConfig(**settings, sparse_prediction=True))

    def forward(self, ids, keep=None, labels=None):
        asked = labels != NOT_ASKED
        return F.cross_entropy(self.logits(ids, at=asked), labels[asked])

    def logits(self, ids, keep=None, at=None):
        hidden = self.model.model(ids).last_hidden_state  # (B, T, D)
        return self.model.decoder(self.model.head(hidden[at]))  # (M, V)


def run(name: str, config: EncoderConfig, recipe: Recipe, data: PretrainingData, asked) -> dict:
    """Train one arm and return its curve."""
    if name == PEER:
        torch.manual_seed(recipe.seed)
        model = HuggingFacePeer(config)
    else:
        model = new_model(config, recipe, data)
    steps = count_steps(asked.tokens, recipe.batch_rows, asked.length)
    print(f"{name}: {sum(p.numel() for p in model.parameters()):,} weights, {steps} steps")
    history = pretrain(
        model, data.train, data.vocab, recipe, steps,
        heldout=data.heldout, evaluate_every=max(1, steps // 25),
    )  # fmt: skip
    last = history.scores[-1]
    print(
        f"   loss {last['loss']:.3f}, accuracy {last['accuracy']:.3f}, {last['cpu_seconds']:.0f} s"
    )
    return {"config": config.to_dict(), "recipe": asdict(recipe), "scores": history.scores}


def main() -> None:
    """Run the arms that have no result yet, or those asked for by name."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tokens", type=float, default=2e6)
    options.add_argument("--length", type=int, default=128)
    options.add_argument("--only", nargs="+", help="names of arms to run again")
    asked = options.parse_args()
    torch.set_num_threads(1)
    data = prepare(asked.length, heldout_rows=128)
    size = dict(vocab_size=data.vocab.size, dim=128, ff_dim=320)
    arms = ladder(EncoderConfig.course(**size))
    arms = {name: (config, recipe.replace(bf16=True)) for name, (config, recipe) in arms.items()}
    config, recipe = arms["+ GeGLU, 30 % masks"]
    arms[PEER] = (config, recipe)

    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"arms": {}}
    results["unigram_loss"] = unigram_loss(data.train, data.heldout, data.vocab)
    results["tokens"], results["asked_mask_rate"] = asked.tokens, 0.15
    libraries = {name: version(name) for name in ("torch", "transformers", "tokenizers")}
    results["versions"] = {"python": platform.python_version(), **libraries}
    for name, (config, recipe) in arms.items():
        if name in (asked.only or arms) and (asked.only or name not in results["arms"]):
            results["arms"][name] = run(name, config, recipe, data, asked)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
