"""Train from Python: a model of your own, or shards in one call."""

from __future__ import annotations

from zoobot.training.fitting import TrainConfig, train_estimator
from zoobot.training.run_config import RunConfig, get_run_config

__all__ = ["RunConfig", "TrainConfig", "get_run_config", "train_estimator"]
