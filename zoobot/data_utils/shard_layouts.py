"""What a record of a TFRecord shard holds: this library's, or those of Zoobot 0.0.3."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

import tensorflow as tf
from google.protobuf.message import DecodeError

__all__ = [
    "N_GALAXIES",
    "RECORD_FORMATS",
    "Layout",
    "RecordFormat",
    "layout_of",
]

RecordFormat = Literal["zoobot", "zoobot_0.0.3"]
RECORD_FORMATS: dict[RecordFormat, tuple[str, ...]] = {
    "zoobot": ("id_str", "image", "encoding", "size"),
    "zoobot_0.0.3": ("id_str", "matrix", "height", "width", "channels"),
}
"""Features that each record has beside its labels."""

N_GALAXIES = "galaxies_in_shard"
"""Feature of each record: how many records its shard has."""

_BANDS = 3
_KINDS = {"int64_list": "int64", "float_list": "float32", "bytes_list": "string"}


@dataclasses.dataclass(frozen=True)
class Layout:
    """What one record holds, by which others of its shard are read."""

    types: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Of each feature of one value: int64, float32 or string, as TensorFlow has it."""
    record_format: RecordFormat | None = None
    """None if it is no galaxy's record."""
    size: int = 0
    """Side of the square image in pixels; 0 if it is not square or not of 3 bands."""
    n_galaxies: int = 0
    """How many records its shard has; 0 if it does not say."""


def layout_of(record: bytes) -> Layout:
    """Look at one record; one that is no tf.train.Example has nothing in it.

    Parameters
    ----------
    record : bytes
        A serialized tf.train.Example.
    """
    try:
        features = tf.train.Example.FromString(record).features.feature
    except DecodeError:
        return Layout()
    values = {name: _values(feature) for name, feature in features.items()}
    types = {name: kind for name, (kind, found) in values.items() if len(found) == 1}
    whole = {n: values[n][1][0] for n, kind in types.items() if kind == "int64"}
    found = next(
        (f for f, names in RECORD_FORMATS.items() if types.keys() >= {*names}), None
    )
    size = whole.get("size", 0)
    if found == "zoobot_0.0.3":
        shape = {whole.get("height", 0), whole.get("width", 0)}
        size = shape.pop() if len(shape) == 1 and whole.get("channels") == _BANDS else 0
    return Layout(types, found, size, whole.get(N_GALAXIES, 0))


def _values(feature: tf.train.Feature) -> tuple[str, list]:
    kind = feature.WhichOneof("kind")
    return (_KINDS[kind], getattr(feature, kind).value) if kind else ("", [])
