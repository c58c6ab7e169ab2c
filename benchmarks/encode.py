"""How fast are sentence vectors? Ours against three ways that people use, same weights and texts.

    OMP_NUM_THREADS=1 python benchmarks/encode.py --threads 1

Every candidate gives unit vectors of MiniLM for the same texts, and must agree with
sentence-transformers within 1e-5, or the run stops. Only bfloat16 may be further off: its cosine
with the reference is printed instead.
"""

from __future__ import annotations

import argparse
import copy
import os
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one thread for all, so that CPU times compare
os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).parent))

import torch  # noqa: E402
from timing import interleave, table  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from encoder_course import hf  # noqa: E402
from encoder_course.data.hub import find_minilm  # noqa: E402
from encoder_course.data.python_docs import python_docs  # noqa: E402
from encoder_course.nn import Encoder  # noqa: E402
from encoder_course.tasks.embed import SentenceEncoder  # noqa: E402
from encoder_course.text.batching import pad  # noqa: E402
from encoder_course.text.tokenizer import Tokenizer  # noqa: E402

REFERENCE = "sentence-transformers"
HALF = "ours, bfloat16"
TOLERANCE = 1e-5
MAX_LEN = 256  # tokens
BATCH = 32  # rows, the default of sentence-transformers


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    texts = sample(options.texts)
    folder = find_minilm()
    encoder, tokenizer = hf.load_bert(folder)
    half = copy.deepcopy(encoder).bfloat16()
    lengths = [len(row) for row in tokenizer.ids(texts, max_len=MAX_LEN)]
    print(
        f"{len(texts)} texts, {sum(lengths)} tokens (median {sorted(lengths)[len(lengths) // 2]},"
        f" longest {max(lengths)}), {options.threads} thread(s), torch {torch.__version__}\n"
    )
    candidates = {
        REFERENCE: sentence_transformers(folder, texts),
        "Hugging Face, order of arrival": hugging_face(folder, tokenizer, texts, by_length=False),
        "Hugging Face, sorted": hugging_face(folder, tokenizer, texts, by_length=True),
        "torch.nn.TransformerEncoder, sorted": torch_encoder(encoder, tokenizer, texts),
        "ours, nn.Encoder as it reads": plain(encoder, tokenizer, texts),
        "ours": lambda: SentenceEncoder(encoder, tokenizer).encode(texts),
        HALF: lambda: SentenceEncoder(half, tokenizer).encode(texts),
    }
    if options.only:
        candidates = {name: candidates[name] for name in (REFERENCE, "ours", HALF)}
    check_equal(candidates)
    print(table(interleave(candidates, options.rounds), REFERENCE))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", action="store_true", help="leave the other libraries out")
    return parser.parse_args()


def sample(count: int) -> list[str]:
    """Documentation as it comes: from one line to many, in no order."""
    texts = python_docs(progress=False).texts()
    return random.Random(0).sample(texts, count)


def check_equal(candidates: dict[str, Callable[[], Tensor]]) -> None:
    """Stop unless all candidates give the vectors of the reference."""
    expected = candidates[REFERENCE]()
    for name, encode in candidates.items():
        vectors = encode()
        difference = (vectors - expected).abs().max().item()
        cosine = F.cosine_similarity(vectors, expected).min().item()
        print(f"largest difference {difference:.1e}, lowest cosine {cosine:.5f}: {name}")
        if name != HALF and not difference <= TOLERANCE:
            raise SystemExit(f"{name} is off by {difference:.1e}, more than {TOLERANCE}")
    print()


def plain(encoder: Encoder, tokenizer: Tokenizer, texts: Sequence[str]) -> Callable[[], Tensor]:
    """Our encoder without the fast path."""

    def run() -> Tensor:
        rows = [torch.tensor(row) for row in tokenizer.ids(texts, max_len=MAX_LEN)]
        means = [hidden.mean(0) for hidden in encoder.encode_packed(rows)]
        return F.normalize(torch.stack(means), dim=-1)

    return run


def mean_pool(hidden: Tensor, keep: Tensor) -> Tensor:
    """Unit vectors of padded rows."""
    weights = keep.unsqueeze(-1).to(hidden.dtype)
    return F.normalize((hidden * weights).sum(1) / weights.sum(1), dim=-1)


def padded(
    encode: Callable[[Tensor, Tensor], Tensor],
    tokenizer: Tokenizer,
    texts: Sequence[str],
    by_length: bool,
) -> Callable[[], Tensor]:
    """Batches of `BATCH` padded rows, in the order of arrival or sorted by length."""

    @torch.inference_mode()
    def run() -> Tensor:
        rows = tokenizer.ids(texts, max_len=MAX_LEN)
        order = list(range(len(rows)))
        if by_length:
            order.sort(key=lambda i: len(rows[i]))
        vectors: list[Tensor] = [torch.empty(0)] * len(rows)
        for start in range(0, len(rows), BATCH):
            batch = order[start : start + BATCH]
            ids, keep = pad([rows[i] for i in batch], tokenizer.pad_id)
            for i, vector in zip(batch, mean_pool(encode(ids, keep), keep), strict=True):
                vectors[i] = vector
        return torch.stack(vectors)

    return run


def sentence_transformers(folder: Path, texts: Sequence[str]) -> Callable[[], Tensor]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    return lambda: model.encode(texts, convert_to_tensor=True, show_progress_bar=False)


def hugging_face(
    folder: Path, tokenizer: Tokenizer, texts: Sequence[str], by_length: bool
) -> Callable[[], Tensor]:
    from transformers import BertModel

    model = BertModel.from_pretrained(folder, attn_implementation="sdpa").eval()

    def encode(ids: Tensor, keep: Tensor) -> Tensor:
        return model(input_ids=ids, attention_mask=keep.long()).last_hidden_state

    return padded(encode, tokenizer, texts, by_length)


def torch_encoder(
    encoder: Encoder, tokenizer: Tokenizer, texts: Sequence[str]
) -> Callable[[], Tensor]:
    """PyTorch's own encoder with our weights, on its fast path (nested tensors, fused layers)."""
    config = encoder.config
    layer = torch.nn.TransformerEncoderLayer(
        config.dim,
        config.heads,
        config.ff_dim,
        activation="gelu",
        layer_norm_eps=config.norm_eps,
        batch_first=True,
    )
    stack = torch.nn.TransformerEncoder(layer, config.layers).eval()
    for theirs, ours in zip(stack.layers, encoder.blocks, strict=True):
        qkv = [ours.attention.query, ours.attention.key, ours.attention.value]
        theirs.self_attn.in_proj_weight.data = torch.cat([x.weight.data for x in qkv])
        theirs.self_attn.in_proj_bias.data = torch.cat([x.bias.data for x in qkv])
        theirs.self_attn.out_proj.load_state_dict(ours.attention.output.state_dict())
        theirs.norm1.load_state_dict(ours.attention_norm.state_dict())
        theirs.linear1.load_state_dict(ours.feed_forward.expand.state_dict())
        theirs.linear2.load_state_dict(ours.feed_forward.contract.state_dict())
        theirs.norm2.load_state_dict(ours.feed_forward_norm.state_dict())

    def encode(ids: Tensor, keep: Tensor) -> Tensor:
        hidden = stack(encoder.start(ids, keep, None), src_key_padding_mask=~keep)
        # Nested tensors end with the longest row; the padding that they add back is 0.
        return F.pad(hidden, (0, 0, 0, ids.shape[1] - hidden.shape[1]))

    return padded(encode, tokenizer, texts, by_length=True)


if __name__ == "__main__":
    main()
