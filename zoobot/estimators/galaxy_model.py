"""Whole models: views of galaxies, encoder and head in one Keras model."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import keras

from zoobot.estimators import model_card
from zoobot.estimators.encoder_files import (
    load_encoder,
    save_encoder,
    weights_digest,
)
from zoobot.estimators.heads import head_arrays, set_head_arrays
from zoobot.estimators.model_card import ModelCard
from zoobot.estimators.model_folders import one_model_in
from zoobot.estimators.unnamed_schemas import is_unnamed, unnamed_schema
from zoobot.estimators.view_layers import GalaxyViews
from zoobot.schemas import Schema
from zoobot.versions import library_versions

__all__ = ["WEIGHTS_SUFFIX", "GalaxyModel", "TrainedAs", "of_any_length"]

WEIGHTS_SUFFIX = ".weights.h5"


@contextlib.contextmanager
def of_any_length() -> Iterator[None]:
    """Let datasets end that do not say how long they are, as of TFRecords.

    Keras warns at the end of the first pass over one that its input ran out.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Your input ran out of data", UserWarning)
        yield


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainedAs:
    """What a model's card says of its training, as far as it is known."""

    n_train: int = 0
    """Galaxies it was trained on; 0 if that is not known."""
    best_epoch: int = 0
    """From 1; 0 before any training."""
    val_loss: float | None = None
    """Lowest validation loss, nats a galaxy."""
    seed: int = 0

    @classmethod
    def told_by(cls, card: ModelCard) -> Self:
        """What a card says."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: getattr(card, name) for name in names})


@keras.saving.register_keras_serializable(package="zoobot")
class GalaxyModel(keras.Sequential):
    """Views, encoder and, if it has a top, the head, one after another.

    `zoobot.estimators.define_model.get_model` makes it. It is a Keras model as any
    other, whose weights can also be saved as a model folder: encoder, head and a card
    with all that prediction needs, without the layer of views and without code.

    Attributes
    ----------
    architecture : str
        Name of the encoder in keras.applications.
    schema : Schema or None
        Decision tree, if it is known; stored with the model.
    trained_as : TrainedAs
        Of the training that gave it its weights.
    """

    architecture: str = ""
    schema: Schema | None = None
    trained_as: TrainedAs = TrainedAs()

    @property
    def views(self) -> GalaxyViews:
        """The first layer."""
        return self.layers[0]

    @property
    def encoder(self) -> keras.Model:
        """From views to representations, or to their map before the mean."""
        return self.layers[1]

    @property
    def head(self) -> keras.Model | None:
        """From representations to concentrations, if the model has its own top."""
        has_top = len(self.layers) == 3 and self.layers[2].name == "head"
        return self.layers[2] if has_top else None

    @property
    def fills_a_folder(self) -> bool:
        """Whether all is known that a model folder tells of a model."""
        return self.head is not None and self._known_schema() is not None

    def save_weights(self, filepath: str | Path, *args: Any, **kwargs: Any) -> None:
        """Write a model folder; or Keras' own file, if the name ends as Keras has it.

        Parameters
        ----------
        filepath : path
            Folder to write, to be used as ``weights_loc`` or ``checkpoint_dir``; or a
            file ``*.weights.h5``, to be used as ``weights_loc``.
        *args, **kwargs
            Of Keras, for such a file.

        Raises
        ------
        ValueError
            If the model has no head of its own, or nothing says which answers belong
            to which question; a model folder needs both.
        """
        if str(filepath).endswith(WEIGHTS_SUFFIX):
            Path(filepath).parent.mkdir(parents=True, exist_ok=True)
            super().save_weights(filepath, *args, **kwargs)
            return
        if self.head is None:
            raise ValueError(
                f"{filepath}: found a model without its own head, expected one from "
                f"get_model with include_top; or a name that ends with {WEIGHTS_SUFFIX}"
            )
        arrays = head_arrays(self.head)
        card = self._card(
            self.head, weights_digest(self.encoder, arrays), path=filepath
        )
        save_encoder(filepath, self.encoder)
        model_card.save_head(filepath, arrays)
        model_card.save_card(filepath, card)

    def load_weights(self, filepath: str | Path, *args: Any, **kwargs: Any) -> None:
        """Read what `save_weights` or the workflow wrote.

        Parameters
        ----------
        filepath : path
            A model folder, or a file ``*.weights.h5``.
        *args, **kwargs
            Of Keras, for such a file.

        Raises
        ------
        ValueError
            If there is no model, or it is one of other sizes, channels or answers.
        """
        if str(filepath).endswith(WEIGHTS_SUFFIX):
            super().load_weights(filepath, *args, **kwargs)
            return
        filepath = one_model_in(filepath)
        card = model_card.load_card(filepath)
        self._check(card, path=filepath)
        stored = load_encoder(filepath)
        for layer in self.encoder.layers:
            if layer.weights:
                layer.set_weights(stored.get_layer(layer.name).get_weights())
        if self.head is not None:
            set_head_arrays(self.head, model_card.load_head(filepath))
            self.schema = self._same_schema(card.schema, path=filepath)
        self.trained_as = TrainedAs.told_by(card)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """As Keras does it, without a warning at the end of TFRecords."""
        with of_any_length():
            return super().evaluate(*args, **kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """As Keras does it, without a warning at the end of TFRecords."""
        with of_any_length():
            return super().predict(*args, **kwargs)

    def get_config(self) -> dict:
        """What rebuilds the model."""
        schema = None if self.schema is None else self.schema.to_json()
        own = {"architecture": self.architecture, "schema": schema}
        return super().get_config() | {"galaxy_model": own}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Self:
        """Rebuild a model from `get_config`."""
        own = config["galaxy_model"]
        model = super().from_config(config, custom_objects)
        model.architecture = own["architecture"]
        if own["schema"] is not None:
            model.schema = Schema.from_json(own["schema"])
        return model

    def _check(self, card: ModelCard, *, path: str | Path) -> None:
        """Refuse weights that see galaxies at another scale, or give other answers."""
        expected: dict[str, tuple[object, object]] = {
            "input_size": (card.image_size_px, self.input_shape[1]),
            "crop_size": (card.crop_size_px, self.views.crop_size),
            "resize_size": (card.input_size_px, self.views.input_size),
            "channels": (card.channels, self.input_shape[-1]),
            "architecture": (card.architecture, self.architecture),
        }
        if self.head is not None:
            expected["output_dim"] = (len(card.schema.answers), self.output_shape[-1])
        for name, (found, wanted) in expected.items():
            if found != wanted:
                raise ValueError(
                    f"{path}: {name}: found a model with {found}, expected {wanted} "
                    "as asked for"
                )

    def _same_schema(self, stored: Schema, *, path: str | Path) -> Schema:
        """The stored tree; or the model's own, where the stored one has no words."""
        own = self.schema
        if own is None or own == stored:
            return stored
        if is_unnamed(stored) and (
            own.question_index_groups == stored.question_index_groups
        ):
            return own
        raise ValueError(
            f"{path}: schema: found a model that answers {stored}, expected {own}"
        )

    def _card(self, head: keras.Model, digest: str, *, path: str | Path) -> ModelCard:
        channels = self.input_shape[-1]
        concentrations = head.get_layer("concentrations")
        return ModelCard(
            schema=self._schema(path),
            architecture=self.architecture,
            image_size_px=self.input_shape[1],
            crop_size_px=self.views.crop_size,
            input_size_px=self.views.input_size,
            shift_max_px=self.views.shift_max,
            greyscale=channels == 1,
            channels=channels,
            n_features=self.encoder.output_shape[-1],
            dropout_rate=head.get_layer("dropout").rate,
            concentration_min=concentrations.low,
            concentration_max=concentrations.high,
            member=0,
            weights_digest=digest,
            versions=library_versions("tensorflow", "keras", "numpy"),
            **dataclasses.asdict(self.trained_as),
        )

    def _schema(self, path: str | Path) -> Schema:
        """The tree that is known, or its shape, which the loss knows."""
        schema = self._known_schema()
        if schema is None:
            raise ValueError(
                f"{path}: found a model of which nothing says which answers belong to "
                "which question; expected get_model with schema, a loss from "
                f"get_multiquestion_loss, or a name that ends with {WEIGHTS_SUFFIX}"
            )
        return schema

    def _known_schema(self) -> Schema | None:
        if self.schema is not None:
            return self.schema
        groups = getattr(getattr(self, "loss", None), "question_index_groups", None)
        return None if groups is None else unnamed_schema(groups)
