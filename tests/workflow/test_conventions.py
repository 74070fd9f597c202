"""The shape of the project, checked on its sources."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

import zoobot
from tests.workflow.workflow import BY_HAND, ROOT
from zoobot.configuration import Settings
from zoobot.settings.section import Section

RULES = "".join(path.read_text() for path in sorted(ROOT.glob("rules/*.smk")))
RULE = re.compile(r"^(?:rule|checkpoint) (\w+):\n(.*?)(?=^\S|\Z)", re.M | re.S)
BODIES = {name: body for name, body in RULE.findall(RULES)}
LIBRARY = sorted(ROOT.glob("zoobot/**/*.py"))
SCRIPTS = sorted(ROOT.glob("workflow_scripts/*.py"))

# What stands lower may not import what stands higher.
LAYERS = [
    {"label_metadata", "files", "logs", "npz_files", "parent_process", "versions"},
    {"schemas"},
    {"settings", "dirichlet_multinomial"},
    {"command_line", "configuration"},
    {"tables"},
    {"data_utils", "preprocess", "demo"},
    {"estimators"},
    {"representations"},
    {"predictions"},
    {"evaluation"},
    {"training"},  # which measures what it has finetuned
    {"program_options"},
]
MAY_IMPORT_TENSORFLOW = {
    "data_utils/image_datasets.py",
    "data_utils/labelled_galaxies.py",
    "data_utils/shard_layouts.py",
    "data_utils/shard_writer.py",
    "data_utils/shuffling.py",
    "data_utils/tfrecord_datasets.py",
    "data_utils/untuned.py",
    "data_utils/whole_shards.py",
    "preprocess.py",
    "estimators/augmentation.py",
    "estimators/device_memory.py",
    "estimators/devices.py",
    "estimators/layers.py",  # in one call that only this Keras backend reaches
    "estimators/replicas.py",
    "estimators/view_layers.py",
    "representations/extract.py",
    "training/finetune.py",
    "training/finetune_views.py",
    "training/keep_best.py",
    "training/batches.py",
    "training/fitting.py",
    "training/mirrored.py",
}
NEEDS_TENSORFLOW = {
    "create_shards",
    "write_shards",
    "train",
    "extract_representations",
    "finetune_rings",
    "finetune_minimal",
    "finetune_advanced",
    "find_rings",
    "train_model",
    "make_predictions",
    "make_predictions_loop",
}


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def in_zoobot(path: Path) -> str:
    return str(path.relative_to(ROOT / "zoobot"))


def test_the_library_under_test_is_this_one():
    assert Path(zoobot.__file__).is_relative_to(ROOT)


def test_one_name_for_rule_script_and_log():
    assert {script.stem for script in SCRIPTS} == {*BODIES, *BY_HAND}
    for name, body in BODIES.items():
        assert f"python -m workflow_scripts.{name} " in body
        assert re.search(rf'log:\s+"results/logs/{name}[_.]', body), name
        assert re.search(rf'benchmark:\s+"results/benchmarks/{name}[_.]', body), name
        assert f'code=code_digest("{name}")' in body, name


@pytest.mark.parametrize("name", BODIES)
def test_rules_say_what_comes_from_what(name: str):
    body = BODIES[name]
    assert body.lstrip().startswith('"""'), "a docstring"
    assert "conda:" in body
    assert not re.search(r"^    (message|run|script):", body, re.M)
    assert "lambda" not in body


def test_rules_files_are_short_and_functions_are_in_common():
    for path in ROOT.glob("rules/*.smk"):
        if path.name == "common.smk":
            assert len(path.read_text().splitlines()) < 100
        else:
            assert "def " not in path.read_text(), path


def test_every_section_of_the_settings_is_a_rule_and_used():
    sections = {
        name
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }
    used_by = {"render_fits": "prepare_catalog"}
    assert sections - set(used_by) <= set(BODIES)
    for section in sections:
        rule = used_by.get(section, section)
        assert f"option_string(settings.{section})" in BODIES[rule]


def test_config_states_every_setting_and_no_other():
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    fields = {
        field.alias or name: field for name, field in Settings.model_fields.items()
    }
    assert set(config) == set(fields)
    for name, field in fields.items():
        if isinstance(config[name], dict):
            assert list(config[name]) == list(field.annotation.model_fields), name
        assert field.is_required(), f"{name}: no hidden default"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_an_adapter(path: Path):
    tree = ast.parse(path.read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [function.name for function in functions] == ["main"]
    modules = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        and node.module.startswith("zoobot")
        and not node.module.startswith("zoobot.settings")
        for alias in node.names
    } - {"command_line", "program_options"}
    assert len(modules) == 1
    calls = [
        node.func.attr
        for node in ast.walk(functions[0])
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in modules
        and node.func.attr[0].islower()
    ]
    assert len(calls) == 1


def test_library_and_scripts_never_heard_of_the_engine():
    for path in [*LIBRARY, *SCRIPTS]:
        assert "snakemake" not in path.read_text().lower(), path


@pytest.mark.parametrize("path", LIBRARY, ids=in_zoobot)
def test_imports_point_downwards(path: Path):
    def layer(module: str) -> int:
        return next(i for i, names in enumerate(LAYERS) if module in names)

    own = Path(in_zoobot(path)).parts[0].removesuffix(".py")
    if own == "__init__":
        assert not imports(path) - {"__future__.annotations"}
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "zoobot" and len(parts) > 1:
            assert layer(parts[1]) <= layer(own), f"{path} imports {name}"


@pytest.mark.parametrize("path", LIBRARY, ids=in_zoobot)
def test_modules_are_small_and_declare_what_is_public(path: Path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    if path.name != "__init__.py":
        assert "__all__" in text


def test_only_marked_modules_import_tensorflow():
    importers = {
        in_zoobot(path)
        for path in LIBRARY
        if any(name.split(".")[0] == "tensorflow" for name in imports(path))
    }
    assert importers == MAY_IMPORT_TENSORFLOW


def test_importing_zoobot_is_cheap():
    program = "import sys, zoobot; print({'tensorflow', 'pandas'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=True,
    )
    assert result.stdout.strip() == "set()"


def help_of(path: Path) -> str:
    """What a script prints of itself, and whether TensorFlow was imported for it."""
    program = (
        "import sys, runpy\n"
        "try: runpy.run_module(sys.argv.pop(1), run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print('tensorflow' in sys.modules)"
    )
    return subprocess.run(
        [sys.executable, "-c", program, f"workflow_scripts.{path.stem}", "--help"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    ).stdout


@pytest.fixture(scope="module")
def helps() -> Iterator[dict[Path, Future[str]]]:
    """Of all scripts, two side by side: most of their time is one import."""
    with ThreadPoolExecutor(2) as pool:
        yield {path: pool.submit(help_of, path) for path in SCRIPTS}


@pytest.mark.slow
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_help_explains_and_tensorflow_is_loaded_only_where_needed(
    path: Path, helps: dict[Path, Future[str]]
):
    printed = helps[path].result()
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring.splitlines()[0].split()[0] in printed
    assert printed.split()[-1] == str(path.stem in NEEDS_TENSORFLOW)


def test_public_arguments_are_named_from_the_third_on():
    # Their callers pass by position.
    notebook = {"evaluate", "calibrate", "equivalent_volunteers"}
    documented = {"get_dataset", "train_estimator"} | notebook
    for path in LIBRARY:
        public = path.read_text().partition("__all__")[2].partition("]")[0]
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and f'"{node.name}"' in public:
                positional = len(node.args.posonlyargs) + len(node.args.args)
                assert positional <= 2 or node.name in documented, (
                    f"{path}: {node.name}"
                )


def test_array_arguments_of_public_functions_say_their_shape():
    arrays = ("np.ndarray", "tf.Tensor")
    for path in LIBRARY:
        public = path.read_text().partition("__all__")[2].partition("]")[0]
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef) or f'"{node.name}"' not in public:
                continue
            text = ast.get_docstring(node)
            for argument in node.args.args + node.args.kwonlyargs:
                kind = ast.unparse(argument.annotation) if argument.annotation else ""
                if kind in arrays:
                    named = rf"^(\w+, )*{argument.arg}(, \w+)* : .*\("
                    assert re.search(named, text, re.M), f"{node.name}: {argument.arg}"


def test_label_columns_are_typed_in_one_place():
    """The demo says what is seen of each answer; ring catalogues come with columns."""
    may = {"label_metadata.py"}
    for path in LIBRARY:
        if in_zoobot(path) not in may and not in_zoobot(path).startswith("demo/"):
            strings = {
                node.value
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
            assert not any(text.startswith("smooth-or-") for text in strings), path


def test_every_skip_names_its_condition():
    pattern = re.compile(r"skip(?:if)?\(([^)]*)", re.S)
    for path in (ROOT / "tests").glob("**/*.py"):
        if path != Path(__file__):
            for call in pattern.findall(path.read_text()):
                assert "todo" not in call.lower() and call.strip(), path


def test_lock_file_has_versions_and_no_addresses():
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert " @ " not in lock
    pins = re.findall(r"^([\w.-]+)==\S+$", lock, re.M)
    assert len(pins) == len(set(map(str.lower, pins))) > 50


def test_no_large_or_binary_file_and_no_machine_path():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, text=True, capture_output=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout: its files cannot be listed")
    for name in listed.stdout.splitlines():
        content = (ROOT / name).read_bytes()
        assert len(content) < 100_000, name
        assert b"\0" not in content, name
        assert b"/work" + b"/" not in content, name
        if name != "Makefile":
            assert b"../sha" + b"red" not in content, name


def test_readme_names_the_commands_that_exist():
    makefile = (ROOT / "Makefile").read_text()
    readme = (ROOT / "README.md").read_text()
    for target in ("demo", "test", "galaxy_zoo_2"):
        assert f"make {target}" in readme
        assert re.search(rf"^{target}:", makefile, re.M)
    assert "make test" in (ROOT / ".ci/run").read_text()
