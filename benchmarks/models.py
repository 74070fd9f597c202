"""A model of random weights to measure speed with."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoobot.estimators import define_model, model_card
from zoobot.schemas import get_schema

__all__ = ["write_model"]


def write_model(folder: Path) -> Path:
    """Write a model folder: EfficientNetB0, 300 px images, of which it sees 224 px."""
    schema = get_schema("gz_decals")
    encoder = define_model.get_encoder("EfficientNetB0", input_size=224, channels=1)
    rng = np.random.default_rng(0)
    shape = (encoder.output_shape[-1], len(schema.answers))
    head = model_card.Head(
        kernel=rng.normal(0, 0.05, shape).astype(np.float32),
        bias=np.zeros(shape[1], np.float32),
    )
    folder.mkdir(parents=True)
    define_model.save_encoder(folder, encoder)
    model_card.save_head(folder, head)
    model_card.save_card(
        folder,
        model_card.ModelCard(
            schema=schema,
            architecture="EfficientNetB0",
            image_size_px=300,
            crop_size_px=225,
            input_size_px=224,
            shift_max_px=37.0,
            greyscale=True,
            channels=1,
            n_features=shape[0],
            dropout_rate=0.2,
            concentration_min=0.02,
            concentration_max=100.02,
            seed=0,
            member=0,
            n_train=0,
            best_epoch=1,
            val_loss=0.0,
            weights_digest=define_model.weights_digest(encoder, head),
            versions={},
        ),
    )
    return folder
