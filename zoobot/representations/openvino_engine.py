"""OpenVINO as an engine of the sweep on CPUs. The package is optional."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable
from types import ModuleType

import keras
import numpy as np

__all__ = ["compiled"]


def compiled(
    encoder: keras.Model,
    *,
    threads: int | None = None,
) -> Callable[[np.ndarray], np.ndarray]:
    """A function that OpenVINO runs in place of TensorFlow, in float32.

    Parameters
    ----------
    encoder : keras.Model
        From views to representations.
    threads : int, optional
        Threads that share the work; else all cores.

    Returns
    -------
    function
        From (batch, input_size, input_size, channels) to (batch, n_features), float32.

    Raises
    ------
    ValueError
        If OpenVINO is not installed.
    """
    openvino = _openvino()
    core = openvino.Core()
    with tempfile.TemporaryDirectory() as folder:
        encoder.export(folder, format="tf_saved_model", verbose=False)
        # Its converter would do without files, but reports its use over the network.
        model = core.read_model(folder)
        config = {
            # Its choice on some CPUs is bfloat16, which moves vote fractions by 0.01.
            "INFERENCE_PRECISION_HINT": "f32",
            # One batch at a time, on all threads.
            "PERFORMANCE_HINT": "LATENCY",
        }
        if threads is not None:
            config["INFERENCE_NUM_THREADS"] = str(threads)
        run = core.compile_model(model, "CPU", config)
    return lambda views: run([views])[0].copy()


def _openvino() -> ModuleType:
    try:
        return importlib.import_module("openvino")
    except ImportError:
        raise ValueError(
            "engine: found openvino, which is not installed, expected tensorflow, or "
            "openvino after `pip install openvino`"
        ) from None
