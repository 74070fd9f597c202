"""Stands in for a script of the workflow: quick, and as faithful as planning needs.

Its results, the files that it is told to write, hold a digest of what it is told to
read and of its options, so that they change when those do and only then.
"""

import hashlib
import json
import sys
from pathlib import Path

SCRIPT = Path(sys.argv[0]).stem
FOLDERS = {
    "train": ("--model", ["encoder.keras", "head.npz", "history.csv", "card.json"]),
    "finetune_rings": (
        "--rings",
        [
            *("head.keras", "encoder.keras", "metrics.json", "held_out.csv"),
            *("card.json", "task.json"),
        ],
    ),
}
FIGURES = "training metrics confusion answers volunteers coverage pit reliability"


def option(name):
    """What follows an option of the command line."""
    return sys.argv[sys.argv.index(name) + 1]


def results():
    """Files to write: those below results that are not there."""
    if SCRIPT in FOLDERS:
        folder, names = FOLDERS[SCRIPT]
        return [Path(option(folder), name) for name in names]
    if SCRIPT == "plot_evaluation":
        return [Path(f"{option('--evaluation')}_{f}.png") for f in FIGURES.split()]
    paths = [Path(word) for word in sys.argv if word.startswith("results/")]
    return [path for path in paths if not path.exists()]


def digest():
    """Of the options, and of all files that are read."""
    found = hashlib.sha256(" ".join(sys.argv[1:]).encode())
    for path in map(Path, sys.argv[1:]):
        if path.is_file():
            found.update(path.read_bytes())
    return found.hexdigest()


def content(path, made):
    """What to write: a card says what made a model, and its weights."""
    if path.name != "card.json":
        return made
    card = {"recipe": option("--recipe"), "weights_digest": made, "finetuned_from": ""}
    if SCRIPT == "finetune_rings":
        trained = json.loads(Path(option("--model"), "card.json").read_text())
        card["finetuned_from"] = trained["weights_digest"]
    return json.dumps(card)


def save_model(path):
    """A PCA of one component, which says whose representations it is of."""
    import numpy as np

    from zoobot.representations.pca import FittedPca, save_pca

    card = json.loads(Path("results/models/tiny/0/card.json").read_text())
    one = np.ones(1)
    arrays = [one[:, None], one, one, one]
    save_pca(FittedPca(*arrays, 1, card["weights_digest"], option("--recipe")), path)


made = digest()
for path in results():
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith("_model.npz"):
        save_model(path)
    else:
        path.write_text(content(path, made))
