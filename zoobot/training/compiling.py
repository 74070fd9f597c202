"""Compile a model for training on this machine, in the precision of its layers."""

from __future__ import annotations

from collections.abc import Callable

import keras

__all__ = ["compile_model"]


def compile_model(
    model: keras.Model,
    *,
    optimizer: keras.optimizers.Optimizer,
    loss: str | Callable,
) -> None:
    """Compile without XLA, and scale the loss where layers need it.

    Parameters
    ----------
    model : keras.Model
        An encoder and a head.
    optimizer : keras.optimizers.Optimizer
    loss : str or callable

    Notes
    -----
    Gradients below 6e-8 are 0 in float16. So the loss is scaled up before they are
    taken, and they down after, by a factor that adapts; bfloat16 needs none.

    Keras does not take XLA together with deterministic operations, by which the same
    seed gives the same weights; and on a CPU XLA makes these convolutions several times
    slower.
    """
    layers = [layer for part in model.layers for layer in getattr(part, "layers", [])]
    if any(layer.compute_dtype == "float16" for layer in layers):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer=optimizer, loss=loss, jit_compile=False)
    if model.built:
        # Now, in the scope of a strategy if there is one; and else Keras traces the
        # whole training step twice, which takes longer than many a training.
        optimizer.build(model.trainable_variables)
