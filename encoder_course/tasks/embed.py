"""Sentences as points: one vector per text, near where the meaning is near."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from encoder_course import hf
from encoder_course.config import EncoderConfig
from encoder_course.nn import Encoder
from encoder_course.nn.fast import FastEncoder, suits
from encoder_course.progress import track
from encoder_course.tasks.storage import read_folder, write_folder
from encoder_course.text.batching import pad
from encoder_course.text.tokenizer import Tokenizer

POOLINGS = ("mean", "cls", "max")
# What shapes a vector, weights aside.
SETTINGS = ("pooling", "normalise", "max_len", "width", "layers")
TOKENIZER = "tokenizer.json"
ENOUGH_TO_PREPARE = 64  # texts; preparing the fast path costs about as much as encoding a few


class SentenceEncoder:
    """Texts to vectors: tokenize, encode, pool each text's token vectors into one.

    `pooling`: "mean" of the tokens, the first token ("cls"), or the largest value of each number
    ("max"). Rows are never padded, so no padding can leak into a mean. With `normalise` every
    vector has length 1, and a dot product of two is their cosine. Texts are cut after `max_len`
    tokens, vectors after `width` numbers: of use where training packed what matters into the first
    ones (see `contrastive`). With `layers` the vector is that of several layers (the first is 1)
    side by side, each of the same length: what a classifier on a frozen encoder can make use of
    (Devlin et al., 2018, section 5.3). ValueError for an unknown pooling, a `max_len`, a `width` or
    `layers` that the encoder does not have, and a tokenizer with more tokens than the encoder.
    Reimers and Gurevych, 2019.
    """

    def __init__(
        self,
        encoder: Encoder,
        tokenizer: Tokenizer,
        pooling: str = "mean",
        normalise: bool = True,
        max_len: int = 256,
        width: int | None = None,
        layers: Sequence[int] | None = None,
    ) -> None:
        if pooling not in POOLINGS:
            raise ValueError(f"pooling {pooling!r} is not one of {POOLINGS}")
        if max_len > encoder.config.max_len:
            raise ValueError(
                f"max_len is {max_len} but the encoder has positions for {encoder.config.max_len}"
            )
        depth = encoder.config.layers
        if layers is not None and not (layers and all(1 <= layer <= depth for layer in layers)):
            raise ValueError(
                f"layers are {list(layers)} but the encoder has those from 1 to {depth}"
            )
        whole = encoder.config.dim * (1 if layers is None else len(layers))
        if width is not None and not 1 <= width <= whole:
            raise ValueError(f"width is {width} but the encoder gives {whole} numbers per text")
        if len(tokenizer) > encoder.config.vocab_size:
            raise ValueError(
                f"the tokenizer has {len(tokenizer)} tokens but the encoder has vectors for"
                f" {encoder.config.vocab_size}"
            )
        self.encoder = encoder
        self.tokenizer = tokenizer
        self.pooling = pooling
        self.normalise = normalise
        self.max_len = max_len
        self.layers = None if layers is None else tuple(layers)
        self.width = whole if width is None else width

    @classmethod
    def minilm(cls) -> SentenceEncoder:
        """all-MiniLM-L6-v2 as it was trained: mean of the tokens, length 1, 256 tokens."""
        return cls(*hf.minilm())

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], progress: bool = False) -> Float[Tensor, "B D"]:
        """One vector per text, in the order of the texts.

        An empty text is the pooled vector of [CLS] and [SEP] alone; no texts are (0, D).
        """
        weight = self.encoder.embed.token.weight
        dtype = torch.promote_types(weight.dtype, torch.float32)  # a mean in bfloat16 is coarse
        vectors = torch.empty(len(texts), self.width, dtype=dtype, device=weight.device)
        if not len(texts):
            return vectors
        ids = self.tokenizer.ids(texts, max_len=self.max_len)
        rows = [torch.tensor(row, device=weight.device) for row in ids]
        training = self.encoder.training
        self.encoder.eval()  # no dropout in a vector to compare
        # Made for each call, because the weights may have been trained since the last one.
        fast = len(rows) >= ENOUGH_TO_PREPARE and suits(self.encoder)
        engine = FastEncoder(self.encoder) if fast else self.encoder
        packed = partial(engine.packed, layers=self.layers)
        with track(None, "encode", progress, total=len(rows), unit=" texts") as bar:
            for batch, hidden in self.encoder.packed_batches(rows, packed=packed):
                for i, tokens in zip(batch, hidden, strict=True):
                    vectors[i] = self.pool(tokens.to(dtype))[: self.width]
                bar.update(len(batch))
        self.encoder.train(training)
        return self.of_length_one(vectors) if self.normalise else vectors

    def of_length_one(self, vectors: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """The vectors with length 1, to which each of several layers gives an equal share."""
        if self.layers is not None:
            parts = vectors.split(self.encoder.config.dim, dim=-1)
            vectors = torch.cat([F.normalize(part, dim=-1) for part in parts], dim=-1)
        return F.normalize(vectors, dim=-1)

    def pool(self, tokens: Float[Tensor, "T D"]) -> Float[Tensor, " D"]:
        """One vector for the tokens of one text."""
        if self.pooling == "cls":
            return tokens[0]
        return tokens.mean(dim=0) if self.pooling == "mean" else tokens.amax(dim=0)

    def trainable(self, texts: Sequence[str]) -> Float[Tensor, "B D"]:
        """The pooled vectors with their gradients: whole (no `width`), and not yet of length 1.

        One padded batch, computed in the mode the encoder is in. ValueError for several `layers`.
        """
        if self.layers is not None:
            raise ValueError(f"only the last layer's vectors are trained, not {self.layers}")
        device = self.encoder.embed.token.weight.device
        ids, keep = pad(self.tokenizer.ids(texts, max_len=self.max_len), self.tokenizer.pad_id)
        keep = keep.to(device)
        return pool_padded(self.encoder(ids.to(device), keep), keep, self.pooling)

    def save(self, folder: str | Path) -> Path:
        """Write weights, tokenizer and settings into a folder that `load` reads."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save(folder / TOKENIZER)
        settings = {name: getattr(self, name) for name in SETTINGS}
        described = {"kind": type(self).__name__, "settings": settings}
        described |= {"config": self.encoder.config.to_dict()}
        return write_folder(folder, described, self.encoder.state_dict())

    @classmethod
    def load(cls, folder: str | Path) -> SentenceEncoder:
        """What `save` wrote, ready for inference. ValueError for a missing or damaged file."""
        folder = Path(folder)
        described, weights = read_folder(folder, cls.__name__)
        try:
            encoder = Encoder(EncoderConfig.from_dict(described["config"]))
            encoder.load_state_dict(weights)
            tokenizer = Tokenizer.load(folder / TOKENIZER)
            return cls(encoder.eval(), tokenizer, **described["settings"])
        except (KeyError, TypeError, RuntimeError, OSError) as error:
            raise ValueError(f"the {cls.__name__} in {folder} is damaged: {error}") from error

    def fingerprint(self) -> str:
        """A name for everything that a vector depends on besides the text."""
        digest = hashlib.blake2b(digest_size=16)
        settings = (self.encoder.config, *(getattr(self, name) for name in SETTINGS))
        digest.update(repr(settings).encode())
        digest.update(self.tokenizer.backend.to_str().encode())
        for name, tensor in self.encoder.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().view(torch.uint8).numpy())
        return digest.hexdigest()


def pool_padded(
    hidden: Float[Tensor, "B T D"], keep: Bool[Tensor, "B T"], pooling: str = "mean"
) -> Float[Tensor, "B D"]:
    """One vector for each row of a padded batch; only tokens to keep count."""
    if pooling == "cls":
        return hidden[:, 0]
    real = keep[..., None]  # (B, T, 1)
    if pooling == "max":
        return hidden.masked_fill(~real, -torch.inf).amax(dim=1)
    return (hidden * real).sum(dim=1) / real.sum(dim=1)
