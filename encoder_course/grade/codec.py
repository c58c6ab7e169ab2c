"""The only thing that comes out of a sandbox: plain data, never objects.

A frame is its length and a body. The body is JSON for the structure and safetensors for the
tensors; reading it makes numbers, strings, lists, dicts and tensors, whatever was sent.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

MOST_BYTES = 32 * 2**20  # of one frame
MOST_DEPTH = 20
MOST_ITEMS = 200_000
_LENGTH = struct.Struct("<II")  # of the JSON and of the tensors
HEAD = _LENGTH.size


class Malformed(ValueError):
    """Bytes that are no frame, or more than a frame may hold."""


def encode(value: Any) -> bytes:
    """Write plain data as one frame: numbers, strings, lists, dicts with string keys, tensors.

    Raises Malformed where the frame would be larger than MOST_BYTES.
    """
    tensors: dict[str, torch.Tensor] = {}
    text = json.dumps(_marked(value, tensors)).encode()
    body = save(tensors)
    if len(text) + len(body) > MOST_BYTES:
        raise Malformed(f"it gives more than {MOST_BYTES // 2**20} MB of data")
    return _LENGTH.pack(len(text), len(body)) + text + body


def frame_length(head: bytes) -> int | None:
    """How many bytes the frame has that starts with `head`; None while too few are there.

    Raises Malformed where that is more than MOST_BYTES.
    """
    if len(head) < HEAD:
        return None
    length = sum(_LENGTH.unpack_from(head))
    if length > MOST_BYTES:
        raise Malformed(f"a frame of {length} bytes is announced")
    return HEAD + length


def decode(frame: bytes) -> Any:
    """Read one whole frame, from whoever wrote it.

    Raises Malformed where it is no frame, is nested too deeply or holds too many items.
    """
    try:
        split = HEAD + _LENGTH.unpack_from(frame)[0]
        structure = json.loads(frame[_LENGTH.size : split])
        tensors = load(frame[split:])
    except (RecursionError, SafetensorError, ValueError, KeyError, struct.error) as problem:
        raise Malformed(f"not a frame: {problem}") from None
    return _Reader(tensors).read(structure)


def _marked(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """Replace dicts and tensors by objects with one key, so that no two things look alike."""
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = value.contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[key, _marked(item, tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_marked(item, tensors) for item in value]
    return value


class _Reader:
    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self.tensors, self.items = tensors, 0

    def read(self, marked: Any, depth: int = 0) -> Any:
        self.items += 1
        if depth > MOST_DEPTH or self.items > MOST_ITEMS:
            raise Malformed(f"more than {MOST_DEPTH} levels or {MOST_ITEMS} items")
        if isinstance(marked, list):
            return [self.read(item, depth + 1) for item in marked]
        if not isinstance(marked, dict):
            return marked
        match list(marked.items()):
            case [("tensor", str(name))] if name in self.tensors:
                return self.tensors[name]
            case [("dict", list(pairs))]:
                return dict(self._pair(pair, depth) for pair in pairs)
        raise Malformed(f"an object with the keys {list(marked)[:3]}")

    def _pair(self, pair: Any, depth: int) -> tuple[str, Any]:
        match pair:
            case [str(key), value]:
                return key, self.read(value, depth + 1)
        raise Malformed("a dict whose items are no pairs")
