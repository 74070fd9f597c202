"""All that defines a model: encoder, head, and both together."""

from __future__ import annotations

from zoobot.estimators.encoder_files import load_encoder, save_encoder, weights_digest
from zoobot.estimators.encoders import get_encoder
from zoobot.estimators.heads import get_binary_head, get_head, head_arrays

__all__ = [
    "get_binary_head",
    "get_encoder",
    "get_head",
    "head_arrays",
    "load_encoder",
    "save_encoder",
    "weights_digest",
]
