"""Make classes count the same in training, and undo it in what is predicted."""

from __future__ import annotations

import keras
import numpy as np

__all__ = ["balance", "balancing_weights", "correct_prior"]


def balance(
    labels: np.ndarray, *, n_classes: int = 2, rng: np.random.Generator
) -> np.ndarray:
    """Rows in which all classes are equally frequent: those of rarer ones repeat.

    Parameters
    ----------
    labels : (n_galaxies,) int
        Numbers of classes, from 0.
    n_classes : int
        How many there are.
    rng : np.random.Generator
        Chooses which galaxies repeat once more than others, and the order.

    Returns
    -------
    (n_rows,) int
        Indices into `labels`, shuffled. Every galaxy is in it at least once.

    Raises
    ------
    ValueError
        If a class is empty.
    """
    classes = [np.flatnonzero(labels == label) for label in range(n_classes)]
    if not all(map(len, classes)):
        raise ValueError(
            f"labels: found only {np.unique(labels)}, expected each of 0 to "
            f"{n_classes - 1}"
        )
    n_most = max(len(rows) for rows in classes)
    repeated = []
    for rows in classes:
        n_more = n_most % len(rows)
        repeated += [
            np.tile(rows, n_most // len(rows)),
            rng.choice(rows, n_more, replace=False),
        ]
    return rng.permutation(np.concatenate(repeated))


def balancing_weights(labels: np.ndarray) -> np.ndarray:
    """Weights that make the classes found count the same; their mean is 1.

    Parameters
    ----------
    labels : (n_galaxies,) int
        Numbers of classes.

    Returns
    -------
    (n_galaxies,) float32
    """
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    each = len(labels) / (len(counts) * counts)
    return each[classes].astype(np.float32)


def correct_prior(head: keras.Model, *, labels: np.ndarray, n_classes: int = 2) -> None:
    """Turn a head trained on balanced classes into one for the classes as they are.

    A shift of the last bias: of two classes ``log odds = log odds(balanced) +
    log(n_1 / n_0)``, of more ``log p_k = log p_k(balanced) + log n_k + constant``.

    Parameters
    ----------
    head : keras.Model
        Its last layer is a sigmoid (2 classes) or a softmax. Changed in place.
    labels : (n_galaxies,) int
        Numbers of classes, before balancing; each is there.
    n_classes : int

    References
    ----------
    Saerens, Latinne & Decaestecker 2002, Neural Computation 14, 21, eq. 2.4.
    """
    counts = np.bincount(labels, minlength=n_classes)
    last = head.layers[-1]
    kernel, bias = last.get_weights()
    is_odds = len(bias) == 1
    shift = counts[1] / counts[0] if is_odds else counts / counts.mean()
    last.set_weights([kernel, bias + np.log(shift)])
