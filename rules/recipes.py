"""What makes the models, apart from the galaxies, and which stored ones it made.

Galaxies come and go, votes are corrected, images replaced: each time the inputs of a
model are others, and the engine would train it anew and sweep the whole survey with it.
So every model is stored with its recipe, a digest of the settings and of the code from
the labelled galaxies on. As long as a stored one is of the current recipe, it is kept:
the rule that makes it makes nothing, and its files are given, like a catalogue.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from rules.code_digest import code_digest
from zoobot.command_line import option_string
from zoobot.configuration import Settings
from zoobot.representations.pca import load_pca
from zoobot.schemas import get_schema

_MODEL = ("encoder.keras", "head.npz", "card.json", "history.csv")
_RINGS = (
    *("encoder.keras", "head.keras", "card.json", "task.json"),
    *("metrics.json", "held_out.csv"),
)
_PCA = ("model.npz", "variance.csv", "variance.png")


@dataclasses.dataclass(frozen=True)
class Recipes:
    """Digests of what makes each kind of model: names are those of the rules."""

    train: str
    fit_pca: str
    finetune_rings: str


@dataclasses.dataclass(frozen=True)
class Kept:
    """Stored models that stay as they are."""

    train: frozenset[int]
    """Members of the ensemble."""
    fit_pca: bool
    finetune_rings: bool

    def __str__(self) -> str:
        """Say what is kept, for the log."""
        members = ", ".join(map(str, sorted(self.train)))
        others = {
            "principal components": self.fit_pca,
            "ring finder": self.finetune_rings,
        }
        names = [f"trained members {members}", *(n for n, k in others.items() if k)]
        return "Kept as they are: " + ", ".join(names)


NOTHING = Kept(train=frozenset(), fit_pca=False, finetune_rings=False)


def recipes_of(settings: Settings) -> Recipes:
    """Digest what makes the models: settings, decision tree and code.

    Which tables are listed, and what is read from them, are the galaxies' side; how
    FITS images are drawn, and the simulated survey, are settings alone. Where decoded
    images are kept makes no difference to a model.
    """
    split = _stage(settings, "split_catalog")
    sweep = _stage(settings, "extract_representations")
    stored = _stage(settings, "write_shards")
    if settings.train.shards == "none":  # training reads the image files
        stored = str(settings.write_shards.image_size_px)
    trained = [
        f"render_fits {option_string(settings.render_fits)}",
        *([_stage(settings, "simulate_survey")] if _is_demo(settings) else []),
        *(split, stored, _stage(_without_cache(settings), "train")),
        get_schema(settings.schema_name).to_json(),
    ]
    compression = option_string(settings.compress_representations)
    rings = settings.prepare_ring_catalog.model_copy(
        update={"catalogs": [], "columns": {}}
    )
    return Recipes(
        train=_digest(trained),
        fit_pca=_digest([sweep, compression, code_digest("fit_pca")]),
        finetune_rings=_digest(
            [
                *(sweep, split, option_string(rings)),
                *([get_schema(rings.label).to_json()] if rings.task == "votes" else []),
                code_digest("prepare_ring_catalog"),
                _stage(settings, "finetune_rings"),
            ]
        ),
    )


def pca_path(settings: Settings) -> str:
    """How the paths of the principal components' files begin."""
    n_components = settings.compress_representations.n_components
    return f"results/representations/{settings.run_name}_pca{n_components}"


def kept_models(settings: Settings, recipes: Recipes) -> Kept:
    """Find the stored models that are of the current recipe.

    The principal components and the ring finder must also be of the member that the
    representations are of, and that must be kept itself.

    Parameters
    ----------
    settings : Settings
    recipes : Recipes
    """
    run = settings.run_name
    models = [f"results/models/{run}/{member}" for member in range(settings.n_models)]
    cards = [_card(folder) for folder in models]
    members = frozenset(
        member
        for member, (folder, card) in enumerate(zip(models, cards, strict=True))
        if card.recipe == recipes.train and _are_there(f"{folder}/", _MODEL)
    )
    if 0 not in members:
        return dataclasses.replace(NOTHING, train=members)
    pca = pca_path(settings)
    rings = f"results/rings/{run}"
    fitted, finetuned = _card_of_pca(f"{pca}_model.npz"), _card(rings)
    weights = cards[0].weights
    return Kept(
        train=members,
        fit_pca=fitted == _Card(recipes.fit_pca, weights)
        and _are_there(f"{pca}_", _PCA),
        finetune_rings=finetuned == _Card(recipes.finetune_rings, weights)
        and _are_there(f"{rings}/", _RINGS),
    )


def _are_there(start: str, names: Sequence[str]) -> bool:
    return all(Path(f"{start}{name}").is_file() for name in names)


@dataclasses.dataclass(frozen=True)
class _Card:
    """What made a stored model; empty where that cannot be read."""

    recipe: str = ""
    weights: str = ""
    """Digest of the trained model's weights, by which representations were made."""


def _card(folder: str) -> _Card:
    try:
        content = json.loads(Path(folder, "card.json").read_text())
        weights = content["finetuned_from"] or content["weights_digest"]
        return _Card(content["recipe"], weights)
    except (OSError, ValueError, KeyError, TypeError):
        return _Card()


def _card_of_pca(path: str) -> _Card:
    try:
        pca = load_pca(path)
    except ValueError:
        return _Card()
    return _Card(pca.recipe, pca.model_digest)


def _stage(settings: Settings, name: str) -> str:
    """A rule's own part of a recipe: its section of the settings, and its code."""
    return f"{name} {option_string(getattr(settings, name))} {code_digest(name)}"


def _without_cache(settings: Settings) -> Settings:
    train = settings.train.model_copy(update={"cache": "none"})
    return settings.model_copy(update={"train": train})


def _is_demo(settings: Settings) -> bool:
    catalog = settings.prepare_catalog
    sources = [
        *catalog.labelled_catalogs,
        *catalog.unlabelled_catalogs,
        *catalog.image_folders,
    ]
    paths = [os.path.normpath(Path(settings.data_folder, one)) for one in sources]
    return any(path.startswith("results/survey") for path in paths)


def _digest(parts: list[str]) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
