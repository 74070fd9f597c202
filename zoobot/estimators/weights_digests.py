"""Whether weights are those that a model's card tells of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from zoobot.files import MAKE_ANEW

__all__ = [
    "check_weights",
    "digest_of_encoder",
    "digest_of_head",
    "joined",
    "sha256_of",
]

_BETWEEN = "-"


def sha256_of(arrays: Iterable[np.ndarray]) -> str:
    """Hexadecimal sha256 of all numbers in arrays: equal for equal weights."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def joined(*, encoder: str, head: str) -> str:
    """One digest of a model, of which each part can be checked by itself."""
    return f"{encoder}{_BETWEEN}{head}"


def digest_of_encoder(weights_digest: str) -> str | None:
    """The encoder's part of a model's digest; None if it has no parts."""
    encoder, between, _ = weights_digest.partition(_BETWEEN)
    return encoder if between else None


def digest_of_head(weights_digest: str) -> str | None:
    """The head's part of a model's digest; None if it has no parts."""
    _, between, head = weights_digest.partition(_BETWEEN)
    return head if between else None


def check_weights(
    path: str | Path, arrays: Iterable[np.ndarray], *, expected: str | None
) -> None:
    """Check that what was read from a file is what the card beside it tells of.

    Parameters
    ----------
    path : path
        File of the weights.
    arrays : iterable of arrays
        All of them.
    expected : str or None
        Digest in the card; None if it has none, then nothing is checked.

    Raises
    ------
    ValueError
        If they are other weights.
    """
    if expected is None:
        return
    found = sha256_of(arrays)
    if found != expected:
        raise ValueError(
            f"{path}: found weights with sha256 {found[:12]}..., expected "
            f"{expected[:12]}... as its card.json says; with the whole folder, "
            f"{MAKE_ANEW}"
        )
