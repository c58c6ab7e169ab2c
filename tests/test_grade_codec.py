"""Data comes through the codec unchanged; anything else is refused, whatever the bytes."""

import json
import math
import pickle
import random
import struct

import pytest
import torch

from encoder_course.check.evidence import difference
from encoder_course.grade.codec import MOST_BYTES, Malformed, decode, encode, frame_length

THINGS = {
    "none": None,
    "numbers": [0, -1, 2**80, 0.1, math.inf, True, False],
    "text": "é \ud7ff \u2028",
    "like a mark": {"tensor": "0", "dict": []},
    "empty": [{}, [], ""],
    "tensors": [
        torch.tensor(3.0),
        torch.empty(0, 2),
        torch.arange(6).reshape(2, 3).T,
        torch.tensor([True]),
        torch.randn(3, dtype=torch.float64),
        torch.ones(2, dtype=torch.bfloat16),
        torch.ones(2, dtype=torch.complex64),
        torch.tensor([math.nan, -math.inf]),
    ],
}


def test_data_comes_back_unchanged():
    frame = encode(THINGS)
    assert frame_length(frame[:8]) == len(frame) and frame_length(frame[:7]) is None
    assert difference(decode(frame), THINGS) is None


def framed(structure: str, tensors: bytes = b"\x02\0\0\0\0\0\0\0{}") -> bytes:
    return struct.pack("<II", len(structure.encode()), len(tensors)) + structure.encode() + tensors


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\0" * 8,
        pickle.dumps([1, 2]),
        framed("["),
        framed("[" * 100_000),
        framed("[" * 30 + "]" * 30),
        framed(json.dumps([0] * 300_000)),
        framed("9" * 5000),
        framed('{"tensor": "7"}'),
        framed('{"tensor": []}'),
        framed('{"dict": [[1, 2]]}'),
        framed('{"dict": [["a"]]}'),
        framed('{"dict": {}}'),
        framed('{"dict": [], "tensor": "0"}'),
        framed('{"__reduce__": "os.system"}'),
        framed("[]", b"\xff" * 8),
        framed("[]", struct.pack("<Q", 2**40) + b"{}"),
        framed("\ud800".encode("utf-8", "surrogatepass").decode("latin1")),
    ],
)
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(Malformed):
        decode(frame)


def test_too_much_is_refused_before_it_is_read_or_sent():
    with pytest.raises(Malformed, match="announced"):
        frame_length(struct.pack("<II", MOST_BYTES, 1))
    with pytest.raises(Malformed, match="32 MB"):
        encode(torch.zeros(MOST_BYTES // 4 + 1))


def test_damaged_frames_are_refused_or_read_as_data():
    draw = random.Random(0)
    frame = encode(THINGS)
    for _ in range(2000):
        damaged = bytearray(frame)
        for _ in range(draw.randrange(1, 5)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        try:
            decode(bytes(damaged[: draw.randrange(8, len(damaged) + 1)]))
        except Malformed:
            continue
