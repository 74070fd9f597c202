"""Find rings, or what else a catalogue labels: finetune, then rate every galaxy."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from zoobot.estimators.devices import use_gpus
from zoobot.files import written_whole
from zoobot.settings.finetuning import Finetune
from zoobot.settings.rings import TaskKind
from zoobot.training.finetuned import Finetuned
from zoobot.training.finetuning import finetune

__all__ = ["find_rings", "finetune_rings"]

log = logging.getLogger(__name__)


def finetune_rings(
    catalog: str | Path,
    *,
    representations: Sequence[str | Path],
    model_folder: str | Path,
    ring_folder: str | Path,
    settings: Finetune,
    label: str = "ring",
    task: TaskKind = "binary",
    recipe: str = "",
) -> None:
    """Train the ring finder and measure it on held-out galaxies.

    Parameters
    ----------
    catalog : path
        csv table with id_str, file_loc, the labels, and part (train, val or test).
    representations : sequence of path
        HDF5 files of the survey's representations by the model's encoder.
    model_folder : path
        The trained model.
    ring_folder : path
        Folder to write, as `zoobot.training.finetuned.Finetuned.save` does.
    settings : Finetune
    label, task : str
        As in `zoobot.training.finetuning.finetune`.
    recipe : str
        Stored in the card: what the ring finder is made by, apart from the galaxies.
    """
    use_gpus(settings.n_gpus)
    # As text, of which labels are made where they are checked; a galaxy may be called
    # NA.
    table = pd.read_csv(catalog, dtype=str, keep_default_na=False)
    finetune(
        table,
        label=label,
        task=task,
        model_folder=model_folder,
        representations=representations,
        settings=settings,
        recipe=recipe,
        settings_name="finetune_rings",
    ).save(ring_folder)


def find_rings(
    chunk: str | Path,
    *,
    representations: str | Path,
    ring_folder: str | Path,
    ring_table: str | Path,
    settings: Finetune,
) -> None:
    """Ring probability, or what else was learned, of each galaxy in one chunk.

    Parameters
    ----------
    chunk : path
        Parquet table with id_str and file_loc.
    representations : path
        The chunk's HDF5 file, used if the encoder stayed as it was.
    ring_folder : path
        What `finetune_rings` wrote.
    ring_table : path
        Parquet table to write: id_str, and the columns of the predictions, as
        ring_probability.
    settings : Finetune
        Galaxies in a batch.
    """
    use_gpus(settings.n_gpus)
    finder = Finetuned.load(ring_folder)
    predictions = finder.predict(
        pd.read_parquet(chunk),
        representations=None if finder.has_own_encoder else representations,
        batch_size=settings.batch_size,
    )
    with written_whole(ring_table) as path:
        predictions.to_parquet(path)
    log.info("wrote predictions of %d galaxies to %s", len(predictions), ring_table)
