"""The building blocks, in the order in which the notebooks build them."""

from encoder_course.nn.attention import MultiHeadAttention, Sight, attention, fused_attention
from encoder_course.nn.block import Block
from encoder_course.nn.decoder import CausalLM, Decoder
from encoder_course.nn.embeddings import Embeddings
from encoder_course.nn.encoder import Encoder, EncoderTrace
from encoder_course.nn.feed_forward import FeedForward
from encoder_course.nn.generate import beam, greedy
from encoder_course.nn.heads import MaskedLM, MLMHead
from encoder_course.nn.positions import alibi, rotary, rotate, sinusoidal
from encoder_course.nn.seq2seq import Seq2Seq

__all__ = [
    "Block",
    "CausalLM",
    "Decoder",
    "Embeddings",
    "Encoder",
    "EncoderTrace",
    "FeedForward",
    "MLMHead",
    "MaskedLM",
    "MultiHeadAttention",
    "Seq2Seq",
    "Sight",
    "alibi",
    "attention",
    "beam",
    "fused_attention",
    "greedy",
    "rotary",
    "rotate",
    "sinusoidal",
]
