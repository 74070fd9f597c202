"""Files from strangers: reading one runs no code, opens no other file, and says why."""

import ast
import io
import json
import os
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from zoobot.data_utils import hdf5
from zoobot.estimators import define_model, model_card, model_files
from zoobot.evaluation import report
from zoobot.representations.pca import FittedPca, load_pca, save_pca
from zoobot.schemas import get_schema

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    path
    for folder in ("zoobot", "workflow_scripts", "rules")
    for path in sorted((ROOT / folder).glob("**/*.py"))
]


class Bomb:
    """An object whose pickle makes a file when it is read."""

    def __reduce__(self):
        return os.mkdir, ("pwned",)


@pytest.fixture(autouse=True)
def nothing_happens(tmp_path, monkeypatch):
    """No test may leave a file but those that it plants in `files`."""
    (tmp_path / "here").mkdir()
    (tmp_path / "files").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield
    assert list((tmp_path / "here").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"here", "files"}
    assert not list((tmp_path / "files").rglob("pwned*"))


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """The members of a small network's file."""
    head = define_model.get_head(
        n_features=4,
        n_answers=2,
        dropout_rate=0.2,
        concentration_min=1,
        concentration_max=101,
        start_at=np.ones(2) * 3,
    )
    path = tmp_path_factory.mktemp("honest") / "encoder.keras"
    head.save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive(folder, members, *, compression=zipfile.ZIP_STORED):
    """Write members of a network's file."""
    path = folder / "files" / "encoder.keras"
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def refused(path, match):
    """Check that neither the function nor its caller reads it."""
    with pytest.raises(ValueError, match=match) as error:
        define_model.load_encoder(path.parent)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 1000


def test_how_it_was_compiled_is_not_read(tmp_path, honest):
    """A loss or optimiser with code would be nothing's: networks here only predict."""
    config = json.loads(honest["config.json"])
    config["compile_config"] = {"loss": CODE, "optimizer": layer("system", module="os")}
    path = archive(tmp_path, honest | {"config.json": json.dumps(config)})
    assert not define_model.load_encoder(path.parent).compiled


def test_an_honest_file_is_read(tmp_path, honest):
    """What the hostile ones are made of."""
    network = define_model.load_encoder(archive(tmp_path, honest).parent)
    assert network.predict(np.ones((1, 4)), verbose=0).shape == (1, 2)


def layer(name, *, module="keras.layers", registered=None, **config):
    return {
        "module": module,
        "class_name": name,
        "config": {"name": "evil", **config},
        "registered_name": registered,
    }


CODE = {"class_name": "function", "module": "os", "config": "mkdir"}
HOSTILE_LAYERS = {
    "lambda": layer(
        "Lambda",
        function={"class_name": "__lambda__", "config": {"code": "4wAAAAAA"}},
    ),
    "system": layer("system", module="os"),
    "system, registered": layer("system", module="os", registered="os>system"),
    "popen as a function": layer("Activation", activation=CODE),
    "in the weights' initialiser": layer("Dense", units=2, kernel_initializer=CODE),
    "reads a file": layer("StringLookup", vocabulary="/etc/passwd"),
    "reads a model": layer("TFSMLayer", filepath="/etc"),
    "a pickle": layer("TorchModuleWrapper", module="gASVIgAAAA=="),
    "fetches a file": layer(
        "get_file", module="keras.utils", origin="file:///etc/passwd"
    ),
    "turns safety off": layer("enable_unsafe_deserialization", module="keras.config"),
    "the library's own function": layer(
        "written_whole", module="zoobot.files", path="pwned"
    ),
    "name of a list": layer(["Dense"]),
}


def with_layer(honest, hostile):
    config = json.loads(honest["config.json"])
    config["config"]["layers"].insert(1, hostile)
    return honest | {"config.json": json.dumps(config)}


@pytest.mark.parametrize("name", HOSTILE_LAYERS)
def test_hostile_layers(tmp_path, honest, monkeypatch, name):
    """Nothing is built but what our networks are made of; Keras would refuse, too."""
    path = archive(tmp_path, with_layer(honest, HOSTILE_LAYERS[name]))
    refused(path, "no part of our networks|unhashable")
    if name not in ("reads a file", "name of a list"):
        monkeypatch.setattr(model_files, "_check_classes", lambda config: None)
        refused(path, "expected a network that this project saved")


def weights(change):
    """Change the file of weights inside an archive."""

    def changed(honest):
        stored = io.BytesIO(honest["model.weights.h5"])
        with h5py.File(stored, "r+") as file:
            change(file["layers/dense/vars"])
        return honest | {"model.weights.h5": stored.getvalue()}

    return changed


def bomb(group):
    del group["0"]
    group.create_dataset("0", (10**6, 10**6), "f4", chunks=(1000, 1000))


def external(group):
    del group["0"]
    group["0"] = h5py.ExternalLink("/etc/passwd", "x")


def outside(group):
    del group["0"]
    group.create_dataset("0", (4, 2), "u1", external=[("/etc/passwd", 0, 8)])


HOSTILE_ARCHIVES = {
    "a member above the folder": lambda m: m | {"../pwned": b"x"},
    "a member at the root": lambda m: m | {"/pwned": b"x"},
    "an asset": lambda m: m | {"assets/pwned": b"x"},
    "no weights": lambda m: {k: v for k, v in m.items() if "weights" not in k},
    "weights of another kind": lambda m: {
        k.replace(".h5", ".npz"): v for k, v in m.items()
    },
    "no json": lambda m: m | {"config.json": b"\x80\x04."},
    "deep json": lambda m: m | {"config.json": b"[" * 100_000},
    "json of nothing": lambda m: m | {"config.json": b"null"},
    "json of one word": lambda m: m | {"config.json": b'{"class_name": "Dense"}'},
    "weights that are none": lambda m: m | {"model.weights.h5": bytes(1000)},
    "weights cut short": lambda m: (
        m | {"model.weights.h5": m["model.weights.h5"][:9000]}
    ),
    "weights of 4 TB": weights(bomb),
    "weights in another file": weights(external),
    "weights stored elsewhere": weights(outside),
}


@pytest.mark.parametrize("name", HOSTILE_ARCHIVES)
def test_hostile_archives(tmp_path, honest, name):
    """Nothing is unpacked to the disk, and no other file is opened."""
    path = archive(tmp_path, HOSTILE_ARCHIVES[name](honest))
    refused(path, "expected a network that this project saved")


def test_a_compression_bomb(tmp_path, honest):
    """Members that grow when they are read are refused unread."""
    members = honest | {"model.weights.h5": bytes(10**7)}
    path = archive(tmp_path, members, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**6
    refused(path, "compressed, expected it not")


@pytest.mark.parametrize("content", [b"", b"PK", b"\x89HDF\r\n\x1a\n", bytes(999)])
def test_networks_that_are_no_archive(tmp_path, content):
    """Whatever else is called encoder.keras."""
    path = tmp_path / "files" / "encoder.keras"
    path.write_bytes(content)
    refused(path, "expected a network that this project saved")


def stored_pca(folder, **changes):
    arrays = {
        "components": np.eye(2),
        "mean": np.zeros(2),
        "explained_variance": np.ones(2),
        "explained_variance_ratio": np.ones(2) / 2,
        "n_samples": 3,
        "model_digest": "abc",
    }
    path = folder / "files" / "pca.npz"
    save_pca(FittedPca(**arrays), path)
    with np.load(path) as file:
        arrays = dict(file) | changes
    np.savez(path, allow_pickle=True, **arrays)
    return path


@pytest.mark.parametrize("field", FittedPca.__dataclass_fields__)
def test_a_pca_with_a_pickle_inside(tmp_path, field):
    """An array of objects is refused, whichever it is."""
    path = stored_pca(tmp_path, **{field: np.array([Bomb()], dtype=object)})
    with pytest.raises(ValueError, match=r"expected a stored PCA.*allow_pickle=False"):
        load_pca(path)


def test_a_pca_that_is_a_pickle(tmp_path):
    """NumPy would read a bare pickle, if it were let."""
    path = tmp_path / "files" / "pca.npz"
    np.array([Bomb()], dtype=object).dump(path)
    with pytest.raises(ValueError, match=r"pca\.npz: expected a stored PCA"):
        load_pca(path)


def test_a_pca_larger_than_memory(tmp_path):
    """A header that says 10^15 numbers, and nothing behind it."""
    path = stored_pca(tmp_path)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**6)}
    )
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("components.npy", header.getvalue())
    with pytest.raises(ValueError, match=r"pca\.npz: expected a stored PCA"):
        load_pca(path)


def test_a_head_with_a_pickle_inside(tmp_path, monkeypatch):
    """As the PCA; whatever the card says."""
    monkeypatch.setattr(model_card, "load_card", lambda folder: None)
    kernel = np.array([Bomb()], dtype=object)
    np.savez(tmp_path / "files" / "head.npz", kernel=kernel, bias=np.zeros(1))
    with pytest.raises(ValueError, match=r"head\.npz"):
        model_card.load_head(tmp_path / "files")


def replaced(name, make):
    """Put something else in the place of a dataset."""

    def change(file):
        del file[name]
        make(file)

    return change


def linked(link):
    return replaced("predictions", lambda file: file.__setitem__("predictions", link))


def instead(name, *, shape=None, kind=None, **options):
    def make(file):
        file.create_dataset(name, shape, kind, **options)

    return replaced(name, make)


def mapped(file):
    layout = h5py.VirtualLayout((3, 2), "f4")
    layout[...] = h5py.VirtualSource("/etc/passwd", "predictions", (3, 2))
    file.create_virtual_dataset("predictions", layout)


TEXT = h5py.string_dtype()
ELSEWHERE = [("/etc/passwd", 0, 24)]
HOSTILE_HDF5 = {
    "a link to another file": linked(h5py.ExternalLink("/etc/passwd", "x")),
    "a link to itself": linked(h5py.SoftLink("/predictions")),
    "values in another file": instead(
        "predictions", shape=(3, 2), kind="f4", external=ELSEWHERE
    ),
    "values mapped from another file": replaced("predictions", mapped),
    "a group": replaced("predictions", lambda file: file.create_group("predictions")),
    "nothing": instead("predictions", data=h5py.Empty("f4")),
    "a table": instead("predictions", shape=(3, 2), kind=np.dtype([("x", "f4")])),
    "40 TB": instead("predictions", shape=(3, 2, 10**13), kind="f4", chunks=(1, 1, 9)),
    "10^11 ids": instead("id_str", shape=(10**11,), kind=TEXT, chunks=(9,)),
    "references for ids": instead("id_str", shape=(3,), kind=h5py.ref_dtype),
    "numbers for ids": instead("id_str", data=[1, 2, 3]),
    "ids that are not UTF-8": instead("id_str", data=[b"\xff", b"b", b"c"]),
    "bytes for text": lambda file: file.attrs.__setitem__("schema", np.void(b"\x80.")),
}


@pytest.mark.parametrize("name", HOSTILE_HDF5)
def test_hostile_hdf5(tmp_path, name):
    """Only plain arrays in the file itself are read."""
    path = tmp_path / "files" / "stranger.hdf5"
    with hdf5.create(
        path,
        dataset="predictions",
        id_str=["a", "b", "c"],
        label_cols=["x", "y"],
        attributes={"schema": "{}"},
    ) as values:
        values[...] = 1
    with h5py.File(path, "r+") as file:
        HOSTILE_HDF5[name](file)
    with pytest.raises(ValueError, match=r"stranger\.hdf5"):
        hdf5.read(path, dataset="predictions")


@pytest.mark.parametrize(
    "tag", ["python/object/apply:os.mkdir", "python/name:os.mkdir"]
)
def test_a_decision_tree_with_code(tmp_path, tag):
    """YAML tags make no objects: all of it is text."""
    path = tmp_path / "files" / "tree.yaml"
    path.write_text(f"questions: {{shape: !!{tag} [pwned]}}")
    with pytest.raises(ValueError, match="shape"):
        get_schema(path)


def test_the_page_escapes_what_it_shows():
    """No name becomes markup."""
    page = report._render("{{ name }}", {"name": "<script>'\"&"}, escape=True)
    assert page == "&lt;script&gt;&#39;&#34;&amp;"
    for text in (report.PAGE, report.HEADLINE):
        assert "|safe" not in text.replace(" ", "")
        assert "autoescape" not in text


def calls(path):
    """Every call in a source: its name and what it is given."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            options = {option.arg: option.value for option in node.keywords}
            yield ast.unparse(node.func), options


FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
FORBIDDEN |= {"torch", "tarfile"}
# Its members are read one by one; test_image_archives.py tests what they may be called.
ALLOWED = {"image_archives.py": {"tarfile"}}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sources_run_nothing_that_they_read(path):
    """No pickle in any form, no evaluated text, no shell, nothing unpacked as it is."""
    text = path.read_text()
    forbidden = FORBIDDEN - ALLOWED.get(path.name, set())
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module]
        assert not {name.split(".")[0] for name in names} & forbidden
    for name, options in calls(path):
        last = name.split(".")[-1]
        assert name not in ("eval", "exec", "compile", "__import__", "os.system")
        assert last not in ("read_pickle", "to_pickle", "extractall", "unpack_archive")
        assert "shell" not in options
        if name in ("np.load", "numpy.load"):
            assert ast.unparse(options["allow_pickle"]) == "False"
        if last == "load_model":
            assert ast.unparse(options["safe_mode"]) == "True"
        if name.startswith("yaml.") and "load" in last:
            is_safe = last == "safe_load" or "BaseLoader" in ast.unparse(
                options["Loader"]
            )
            assert is_safe
    assert "enable_unsafe_deserialization" not in text


def test_classes_of_other_architectures_are_known():
    """What every EfficientNet of Keras is made of can be read back."""
    encoder = define_model.get_encoder(
        "EfficientNetV2B0", input_size=32, channels=1, precision="mixed_bfloat16"
    )
    model_files._check_classes(keras.saving.serialize_keras_object(encoder))
