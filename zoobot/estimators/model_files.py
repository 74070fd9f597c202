"""Networks in files, from whomever: reading one runs no code that came with it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import keras

from zoobot.estimators import layers
from zoobot.files import MAKE_ANEW, written_whole

__all__ = ["load_network", "save_network"]

_CONFIG = "config.json"
_METADATA = "metadata.json"
_MEMBERS = {_CONFIG, _METADATA, "model.weights.h5"}
_OWN = {f"zoobot>{name}" for name in layers.__all__}
# All that our encoders and heads are made of. Keras knows classes that open files,
# fetch them from an address, or hold code.
_BUILDING_BLOCKS = {
    "Activation",
    "Add",
    "Constant",
    "Conv2D",
    "DTypePolicy",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Functional",
    "GlobalAveragePooling2D",
    "GlorotUniform",
    "Identity",
    "InputLayer",
    "Multiply",
    "Normalization",
    "Ones",
    "Rescaling",
    "Reshape",
    "Sequential",
    "VarianceScaling",
    "ZeroPadding2D",
    "Zeros",
}
_MODULES = {
    "keras",
    "keras.initializers",
    "keras.layers",
    "keras.src.models.functional",
}
_VALUES = {"__keras_tensor__", "__numpy__", "__tensor__", "__tuple__"}
_MOST_SHOWN = 300


def save_network(path: str | Path, network: keras.Model) -> None:
    """Write a ``.keras`` file, the same to the byte for the same network.

    Keras puts the time into it; then all that reads it would seem out of date.
    """
    with written_whole(path) as beside:
        network.save(beside)
        with zipfile.ZipFile(beside) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        members[_METADATA] = json.dumps(
            json.loads(members[_METADATA]) | {"date_saved": ""}
        ).encode()
        with zipfile.ZipFile(beside, "w") as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name), content)


def load_network(path: str | Path) -> keras.Model:
    """Read a ``.keras`` file that this project wrote.

    Nothing of the archive is unpacked to the disk, only classes of which our networks
    are made are built, and Keras loads it in its safe mode.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    keras.Model
        Not compiled.

    Raises
    ------
    ValueError
        If the file is damaged, or holds anything else; the message names it.
    """
    try:
        _check_classes(_read_config(Path(path)))
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (
        AttributeError,
        LookupError,
        NotImplementedError,
        OSError,
        RecursionError,
        TypeError,
        ValueError,
        zipfile.BadZipFile,
    ) as error:
        found = str(error)[:_MOST_SHOWN]
        raise ValueError(
            f"{path}: expected a network that this project saved; {found}; {MAKE_ANEW}"
        ) from error


def _read_config(path: Path) -> object:
    """Check what is in the archive, and read how the network is built."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        names = [member.filename for member in members]
        if sorted(names) != sorted(_MEMBERS):
            raise ValueError(f"found members {names}, expected {sorted(_MEMBERS)}")
        for member in members:
            # Stored as they are: none grows when it is read.
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"found {member.filename} compressed, expected it not")
            if member.file_size != member.compress_size:
                raise ValueError(f"found {member.filename} of two sizes")
        return json.loads(archive.read(_CONFIG))


def _check_classes(config: object) -> None:
    if isinstance(config, dict):  # How it was compiled is not read.
        config = {key: config[key] for key in config if key != "compile_config"}
    for entry in _entries(config):
        name, registered = entry["class_name"], entry.get("registered_name")
        module = entry.get("module")
        is_value = name in _VALUES and module is None
        is_block = name in _BUILDING_BLOCKS and module in _MODULES
        is_own = registered in _OWN
        if not (is_value or is_block or is_own):
            raise ValueError(f"found {module}.{name}, no part of our networks")


def _entries(config: object) -> Iterator[dict]:
    """All parts of a network's description that name a class."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
