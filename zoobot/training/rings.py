"""Find ring galaxies: finetune on a ring catalogue, then rate every galaxy."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from zoobot.data_utils import hdf5
from zoobot.estimators import device_memory, encoder_files, model_card
from zoobot.estimators.devices import be_deterministic
from zoobot.files import written_whole
from zoobot.logs import track
from zoobot.representations.extract import sweep
from zoobot.representations.pca import mean_over_views
from zoobot.settings.rings import FinetuneRings
from zoobot.training import finetune
from zoobot.training.ring_files import load_ring_head, save_ring_finder

__all__ = ["find_rings", "finetune_rings", "linear_probe", "ring_metrics"]

log = logging.getLogger(__name__)

_PARTS = ("train", "val", "test")
_DATASET = "representations"


@device_memory.says_what_to_set("finetune_rings")
def finetune_rings(
    catalog: str | Path,
    *,
    representations: Sequence[str | Path],
    model_folder: str | Path,
    ring_folder: str | Path,
    settings: FinetuneRings,
    recipe: str = "",
) -> None:
    """Train the ring finder and measure it on held-out galaxies.

    Parameters
    ----------
    catalog : path
        csv table with id_str, file_loc, ring (0 or 1) and part (train, val or test).
    representations : sequence of path
        HDF5 files of the survey's representations by the model's encoder.
    model_folder : path
        The trained model.
    ring_folder : path
        Folder to write: ``head.keras``, ``encoder.keras``, ``card.json``,
        ``metrics.json`` and ``held_out.csv`` (probabilities of the test galaxies).
    settings : FinetuneRings
    recipe : str
        Stored in the card: what the ring finder is made by, apart from the galaxies.
    """
    be_deterministic(settings.seed)
    table = pd.read_csv(
        catalog,
        dtype={"id_str": str, "file_loc": str},
        keep_default_na=False,  # A galaxy may be called NA.
    )
    galaxies = {
        p: table[table["part"] == p].rename(columns={"ring": "label"}) for p in _PARTS
    }
    log.info("galaxies: %s", {p: len(rows) for p, rows in galaxies.items()})
    features = _gather(representations, table["id_str"])
    inputs = {
        p: features.loc[rows["id_str"]].to_numpy() for p, rows in galaxies.items()
    }
    labels = {p: rows["label"].to_numpy() for p, rows in galaxies.items()}
    held_out = galaxies["test"][["id_str", "label"]].copy()
    probe = linear_probe(
        features.loc[table["id_str"]].to_numpy(),
        labels=table["ring"].to_numpy(),
        seed=settings.seed,
    )

    head = finetune.train_head(inputs, labels=labels, settings=settings)
    stage_1 = keras.models.clone_model(head)
    stage_1.set_weights(head.get_weights())
    finetune.correct_prior(stage_1, labels=labels["train"])
    held_out["probability_stage_1"] = stage_1.predict(inputs["test"], verbose=0)[:, 0]

    encoder = encoder_files.load_encoder(model_folder)
    card = model_card.load_card(model_folder)
    if settings.unfreeze != "none":
        finetune.train_encoder(
            encoder, head=head, galaxies=galaxies, card=card, settings=settings
        )
        inputs["test"] = np.concatenate(
            list(
                sweep(
                    encoder,
                    galaxies["test"]["file_loc"],
                    card=card,
                    batch_size=settings.batch_size,
                )
            )
        )
    finetune.correct_prior(head, labels=labels["train"])
    held_out["probability"] = head.predict(inputs["test"], verbose=0)[:, 0]
    card = dataclasses.replace(card, recipe=recipe, finetuned_from=card.weights_digest)
    save_ring_finder(ring_folder, encoder=encoder, head=head, card=card)
    prevalence = float(np.mean(labels["train"]))
    _save_metrics(
        Path(ring_folder), held_out=held_out, prevalence=prevalence, probe=probe
    )


def find_rings(
    chunk: str | Path,
    *,
    representations: str | Path,
    ring_folder: str | Path,
    ring_table: str | Path,
    settings: FinetuneRings,
) -> None:
    """Ring probability of each galaxy in one chunk.

    Parameters
    ----------
    chunk : path
        Parquet table with id_str and file_loc.
    representations : path
        The chunk's HDF5 file, used if the encoder stayed as it was.
    ring_folder : path
        What `finetune_rings` wrote.
    ring_table : path
        Parquet table to write: id_str, ring_probability.
    settings : FinetuneRings
        ``unfreeze`` says whether the images must be swept again.
    """
    head = load_ring_head(ring_folder)
    if settings.unfreeze == "none":
        rows = hdf5.read(representations, dataset=_DATASET)
        ids, features = rows.id_str, mean_over_views(rows.values)
    else:
        galaxies = pd.read_parquet(chunk)
        ids = galaxies["id_str"]
        blocks = sweep(
            encoder_files.load_encoder(ring_folder),
            galaxies["file_loc"],
            card=model_card.load_card(ring_folder),
            batch_size=settings.batch_size,
        )
        features = np.concatenate(list(blocks))
    probability = head.predict(features, batch_size=1024, verbose=0)[:, 0]
    with written_whole(ring_table) as path:
        pd.DataFrame({"id_str": ids, "ring_probability": probability}).to_parquet(path)
    log.info(
        "wrote ring probabilities of %d galaxies to %s", len(probability), ring_table
    )


def ring_metrics(
    labels: np.ndarray, *, probability: np.ndarray, prevalence: float
) -> dict:
    """How well probabilities tell rings from the rest.

    Parameters
    ----------
    labels : (n_galaxies,) int, 0 or 1
    probability : (n_galaxies,) float
    prevalence : float
        Share of rings among the training galaxies. Above it a galaxy counts as a ring
        for the balanced accuracy and the confusion matrix: with the prior corrected,
        that is where both classes are equally likely if they were equally frequent.

    Returns
    -------
    dict
        n, n_rings, accuracy (probability above 0.5), balanced_accuracy, roc_auc with
        its 90% bootstrap interval, average_precision, brier_score, confusion_matrix
        (rows: truth no, yes; columns: found no, yes).
    """
    found = probability > prevalence
    return _roc_auc(labels, probability) | {
        "accuracy": metrics.accuracy_score(labels, probability > 0.5),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, found),
        "average_precision": metrics.average_precision_score(labels, probability),
        "brier_score": metrics.brier_score_loss(labels, probability),
        "confusion_matrix": metrics.confusion_matrix(labels, found).tolist(),
    }


def linear_probe(features: np.ndarray, *, labels: np.ndarray, seed: int) -> dict:
    """How much of the answer lies open in the representations.

    A logistic regression, cross-validated in five parts over all galaxies of the
    catalogue: less noisy than the few rings that are held out. The encoder never saw
    a ring label, but did see the votes of its own training galaxies.

    Parameters
    ----------
    features : (n_galaxies, n_features) float
    labels : (n_galaxies,) int, 0 or 1
    seed : int
        Seed of the parts.

    Returns
    -------
    dict
        n, n_rings, and roc_auc with its 90% bootstrap interval.
    """
    n_parts = min(5, np.bincount(labels, minlength=2).min())
    model = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000),
    )
    parts = StratifiedKFold(n_parts, shuffle=True, random_state=seed)
    score = cross_val_predict(
        model, features, labels, cv=parts, method="decision_function"
    )
    return _roc_auc(labels, score)


def _roc_auc(labels: np.ndarray, score: np.ndarray) -> dict:
    """ROC AUC with its 90% bootstrap interval, and of how many galaxies."""
    rng = np.random.default_rng(0)
    aucs = []
    for _ in range(500):
        rows = rng.integers(len(labels), size=len(labels))
        if 0 < labels[rows].sum() < len(rows):
            aucs.append(metrics.roc_auc_score(labels[rows], score[rows]))
    lower, upper = np.quantile(aucs, [0.05, 0.95])
    return {
        "n": len(labels),
        "n_rings": int(labels.sum()),
        "roc_auc": metrics.roc_auc_score(labels, score),
        "roc_auc_90pc_lower": float(lower),
        "roc_auc_90pc_upper": float(upper),
    }


def _gather(representations: Sequence[str | Path], id_str: pd.Series) -> pd.DataFrame:
    """Representations of some galaxies, indexed by id; views are averaged."""
    wanted = set(id_str)
    found = []
    sizes = {p: hdf5.n_galaxies(p, dataset=_DATASET) for p in representations}
    total = sum(sizes.values())
    for path in track(sizes, total=total, what="galaxies", size=sizes.__getitem__):
        rows = hdf5.read(path, dataset=_DATASET)
        mask = np.array([galaxy in wanted for galaxy in rows.id_str])
        values = mean_over_views(rows.values[mask])
        found.append(pd.DataFrame(values, index=np.array(rows.id_str)[mask]))
    features = pd.concat(found)
    missing = wanted - set(features.index)
    if missing:
        raise ValueError(
            f"representations: {len(missing)} of {len(wanted)} galaxies of the ring "
            f"catalogue not found, first {min(missing)!r}"
        )
    return features


def _save_metrics(
    ring_folder: Path, *, held_out: pd.DataFrame, prevalence: float, probe: dict
) -> None:
    result = {"linear_probe": probe} | {
        name: ring_metrics(
            held_out["label"].to_numpy(),
            probability=held_out[column].to_numpy(),
            prevalence=prevalence,
        )
        for name, column in (
            ("stage_1", "probability_stage_1"),
            ("final", "probability"),
        )
    }
    log.info("held-out galaxies: %s", result["final"])
    with written_whole(ring_folder / "metrics.json") as path:
        path.write_text(json.dumps(result, indent=1))
    with written_whole(ring_folder / "held_out.csv") as path:
        held_out.to_csv(path, index=False)
