"""Encoder and decoder in one model: the first reads, the second writes and looks back."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.config import EncoderConfig
from encoder_course.nn.decoder import Decoder, next_token_loss
from encoder_course.nn.encoder import Encoder, initialise
from encoder_course.nn.generate import NextLogits
from encoder_course.text.masking import NOT_ASKED


class Seq2Seq(nn.Module):
    """A source text in, a target text out: T5 or BART, as `config` says.

    `config` is that of the encoder and, unless `decoder_config` is given, of the decoder. Both use
    one token embedding, and so do the scores, unless `tied` is False; `scaled` divides them by the
    root of D, as T5 does where they are tied. `start_id` stands before each target. ValueError
    where the two halves do not fit. Raffel et al., 2019; Lewis et al., 2019.
    """

    def __init__(
        self,
        config: EncoderConfig,
        decoder_config: EncoderConfig | None = None,
        start_id: int = 0,
        tied: bool = True,
        scaled: bool = False,
    ) -> None:
        super().__init__()
        decoder_config = decoder_config or config
        for name in ("dim", "vocab_size"):
            one, other = getattr(config, name), getattr(decoder_config, name)
            if one != other:
                raise ValueError(f"{name} is {one} in the encoder but {other} in the decoder")
        self.start_id, self.scaled = start_id, scaled
        self.encoder = Encoder(config)
        self.decoder = Decoder(decoder_config, cross=True)
        self.decoder.embed.token = self.encoder.embed.token
        self.head = None
        if not tied:
            self.head = nn.Linear(config.dim, config.vocab_size, bias=False)
            initialise(self.head)

    def forward(
        self,
        source: Int[Tensor, "B S"],
        labels: Int[Tensor, "B T"],
        keep: Bool[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy, in nats, of the target, -100 where it is padding.

        Teacher forcing: whatever the model would have written, it is asked for the next token after
        the *right* beginning, so all positions are trained at once.
        """
        return next_token_loss(self.logits(source, self.shift(labels), keep), labels)

    def shift(self, labels: Int[Tensor, "B T"]) -> Int[Tensor, "B T"]:
        """What the decoder sees while it is asked for `labels`: each one a place later."""
        start = torch.full_like(labels[:, :1], self.start_id)
        shifted = torch.cat([start, labels[:, :-1]], dim=1)
        return shifted.masked_fill(shifted == NOT_ASKED, self.decoder.config.pad_id)

    def logits(
        self,
        source: Int[Tensor, "B S"],
        inputs: Int[Tensor, "B T"],
        keep: Bool[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Scores of the token after each of `inputs`, which begin with `start_id`."""
        return self.scores(self.decoder(inputs, None, None, self.encoder(source, keep), keep))

    def scores(self, hidden: Float[Tensor, "... D"]) -> Float[Tensor, "... V"]:
        """From the decoder's vectors to the vocabulary."""
        if self.scaled:
            hidden = hidden * hidden.shape[-1] ** -0.5
        matrix = self.encoder.embed.token if self.head is None else self.head
        return F.linear(hidden, matrix.weight)

    def writer(
        self, source: Int[Tensor, "B S"], keep: Bool[Tensor, "B S"] | None = None
    ) -> tuple[NextLogits, Int[Tensor, "B 1"]]:
        """What `greedy` and `beam` ask for: the scores of the next token, and where to start.

        The source is encoded once, whatever is written afterwards.
        """
        with torch.no_grad():
            memory = self.encoder(source, keep)

        def next_logits(ids: Tensor) -> Tensor:
            drafts = len(ids) // len(memory)  # beam search has several for each source
            seen = None if keep is None else keep.repeat_interleave(drafts, 0)
            hidden = self.decoder(ids, None, None, memory.repeat_interleave(drafts, 0), seen)
            return self.scores(hidden[:, -1])

        return next_logits, torch.full_like(source[:, :1], self.start_id)

    @torch.no_grad()
    def alignment(
        self,
        source: Int[Tensor, "B S"],
        inputs: Int[Tensor, "B T"],
        keep: Bool[Tensor, "B S"] | None = None,
    ) -> list[Float[Tensor, "B H T S"]]:
        """The weights of the cross-attention of each block of the decoder, to look at."""
        seen: list[Tensor] = []

        def look(module, arguments, keywords):
            seen.append(module.weights(*arguments, **keywords))

        hooks = [
            block.cross_attention.register_forward_pre_hook(look, with_kwargs=True)
            for block in self.decoder.blocks
        ]
        try:
            self.logits(source, inputs, keep)
        finally:
            for hook in hooks:
                hook.remove()
        return seen
