"""What an encoder is made of, as one frozen record with presets."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

# Compared in notebook 02; "bucketed" (T5) learns one number for each range of distances.
POSITIONS = ("learned", "sinusoidal", "rotary", "alibi", "none")
ACTIVATIONS = ("gelu", "geglu", "gelu_tanh", "geglu_tanh")


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """The shape of an `Encoder` (letters as in `encoder_course.shapes`).

    Raises ValueError when two settings disagree. BERT: Devlin et al., 2018. ModernBERT: Warner et
    al., 2024.
    """

    vocab_size: int  # V, tokens
    dim: int  # D, numbers per token
    layers: int  # blocks
    heads: int  # H, attention heads per block
    ff_dim: int  # F, width inside the feed-forward
    max_len: int = 512  # tokens, the longest row
    segments: int = 2  # token types; 0 = the model has none
    pad_id: int = 0
    positions: Literal["learned", "sinusoidal", "rotary", "alibi", "bucketed", "none"] = "learned"
    buckets: int = 32  # of distances, where positions are bucketed
    bucket_reach: int = 128  # tokens: from here on all distances share a bucket
    rope_theta: float = 10_000.0  # base of the rotary wavelengths
    norm: Literal["post", "pre"] = "post"
    norm_kind: Literal["layer", "rms"] = "layer"
    norm_eps: float = 1e-12
    activation: Literal["gelu", "geglu", "gelu_tanh", "geglu_tanh"] = "gelu"
    bias: bool = True  # in linear layers and norms
    embedding_norm: bool = True  # normalise the summed embeddings
    dropout: float = 0.0  # probability
    local_window: int = 0  # tokens in view of a local layer, centre included; 0 = all layers global
    global_every: int = 1  # layers 0, n, 2n, ... see everything, the others only the window
    local_rope_theta: float = 10_000.0  # base of the rotary wavelengths in local layers

    def __post_init__(self) -> None:
        for name in ("vocab_size", "dim", "layers", "heads", "ff_dim", "max_len", "global_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, but it is {getattr(self, name)}")
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} cannot be split into {self.heads} equal heads")
        choices = {
            "positions": (*POSITIONS, "bucketed"),
            "norm": ("post", "pre"),
            "norm_kind": ("layer", "rms"),
            "activation": ACTIVATIONS,
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} {getattr(self, name)!r} is not one of {allowed}")
        if self.positions == "rotary" and self.head_dim % 2:
            raise ValueError(f"rotary positions turn pairs, but head width {self.head_dim} is odd")
        if self.positions == "sinusoidal" and self.dim % 2:
            raise ValueError(f"sinusoidal positions come in pairs, but dim {self.dim} is odd")
        if self.buckets < 4 or self.buckets % 4 or self.bucket_reach <= self.buckets // 2:
            raise ValueError(
                f"buckets {self.buckets} must be a multiple of 4, and fewer than twice their reach"
                f" {self.bucket_reach}"
            )
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout is a probability below 1, but it is {self.dropout}")
        if not 0 <= self.pad_id < self.vocab_size:
            raise ValueError(f"pad_id {self.pad_id} is outside the vocabulary of {self.vocab_size}")

    @property
    def head_dim(self) -> int:
        """K, the width of one head."""
        return self.dim // self.heads

    def is_local(self, layer: int) -> bool:
        """Whether block number `layer` (from 0) sees only `local_window` tokens."""
        return self.local_window > 0 and layer % self.global_every != 0

    def replace(self, **changes: Any) -> EncoderConfig:
        """The same configuration with some settings changed, checked again."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> EncoderConfig:
        """The inverse of `to_dict`; a setting that does not exist is a ValueError."""
        unknown = sorted(set(settings) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise ValueError(f"{cls.__name__} has no setting called {', '.join(unknown)}")
        return cls(**settings)

    @classmethod
    def tiny(cls, **changes: Any) -> EncoderConfig:
        """Two layers by 32: for tests and for numbers small enough to read."""
        tiny = dict(vocab_size=100, dim=32, layers=2, heads=4, ff_dim=64, max_len=64)
        return cls(**{**tiny, **changes})

    @classmethod
    def course(cls, **changes: Any) -> EncoderConfig:
        """The course encoder, of the modern shape: pre-norm, rotary positions, GeGLU."""
        course = dict(vocab_size=8192, dim=256, layers=4, heads=4, ff_dim=640, max_len=512)
        modern = dict(segments=0, positions="rotary", norm="pre", norm_eps=1e-5)
        modern |= dict(activation="geglu", bias=False)
        return cls(**{**course, **modern, **changes})

    @classmethod
    def minilm(cls, **changes: Any) -> EncoderConfig:
        """all-MiniLM-L6-v2: BERT's architecture, 6 layers by 384."""
        minilm = dict(vocab_size=30522, dim=384, layers=6, heads=12, ff_dim=1536)
        return cls(**{**minilm, **changes})

    @classmethod
    def bert_base(cls, **changes: Any) -> EncoderConfig:
        """BERT-base, uncased: 12 layers by 768 (Devlin et al., 2018)."""
        bert = dict(vocab_size=30522, dim=768, layers=12, heads=12, ff_dim=3072)
        return cls(**{**bert, **changes})

    @classmethod
    def gpt2(cls, **changes: Any) -> EncoderConfig:
        """GPT-2, small: 12 layers by 768, for a `Decoder` (Radford et al., 2019)."""
        gpt2 = dict(vocab_size=50257, dim=768, layers=12, heads=12, ff_dim=3072, max_len=1024)
        gpt2 |= dict(segments=0, pad_id=50256, norm="pre", norm_eps=1e-5)
        gpt2 |= dict(activation="gelu_tanh", embedding_norm=False)
        return cls(**{**gpt2, **changes})

    @classmethod
    def bart_base(cls, **changes: Any) -> EncoderConfig:
        """BART-base, either half: 6 layers by 768, BERT's blocks (Lewis et al., 2019)."""
        bart = dict(vocab_size=50265, dim=768, layers=6, heads=12, ff_dim=3072, max_len=1024)
        return cls(**{**bart, **dict(segments=0, pad_id=1, norm_eps=1e-5), **changes})

    @classmethod
    def t5_base(cls, **changes: Any) -> EncoderConfig:
        """T5 1.1, base, either half: 12 layers by 768 (Raffel et al., 2019; Shazeer, 2020)."""
        t5 = dict(vocab_size=32128, dim=768, layers=12, heads=12, ff_dim=2048, max_len=1 << 16)
        t5 |= dict(segments=0, positions="bucketed", norm="pre", norm_kind="rms", norm_eps=1e-6)
        t5 |= dict(activation="geglu_tanh", bias=False, embedding_norm=False)
        return cls(**{**t5, **changes})

    @classmethod
    def modernbert_base(cls, **changes: Any) -> EncoderConfig:
        """ModernBERT-base: 22 layers by 768, two of three with a local window (Warner, 2024)."""
        modern = dict(vocab_size=50368, dim=768, layers=22, heads=12, ff_dim=1152, max_len=8192)
        modern |= dict(segments=0, pad_id=50283, positions="rotary", norm="pre", norm_eps=1e-5)
        modern |= dict(activation="geglu", bias=False, rope_theta=160_000.0)
        modern |= dict(local_window=129, global_every=3, local_rope_theta=10_000.0)
        return cls(**{**modern, **changes})
