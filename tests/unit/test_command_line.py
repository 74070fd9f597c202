"""Settings survive the way through a shell into a program's options."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.catalogs import catalog_settings
from zoobot import command_line
from zoobot.configuration import Settings, read_settings
from zoobot.settings.catalog import PrepareCatalog, SplitCatalog
from zoobot.settings.predictions import Predict
from zoobot.settings.programs import MakePredictionsLoop
from zoobot.settings.section import Section
from zoobot.settings.training import Train, Training

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = read_settings(yaml.safe_load((ROOT / "config.yaml").read_text()))
SECTIONS = [
    name
    for name in Settings.model_fields
    if isinstance(getattr(SETTINGS, name), Section)
]
ODD_PATHS = catalog_settings(
    labelled_catalogs=["a b.csv", 'it\'s "quoted".csv', "$HOME/`x`.csv", "ä;*.csv"],
    image_folders=["100% real/", "back\\slash"],
    columns={"id_str": "a = b", "file_loc": "it's $x", "ä b": "=", "none": "''"},
)


def parsed(section: Section) -> Section:
    """The section after a trip through its option string."""
    program = command_line.parser("A program.", type(section))
    options = shlex.split(command_line.option_string(section))
    return command_line.parse(program, options).settings


@pytest.mark.parametrize("name", SECTIONS)
def test_round_trip_of_every_section(name):
    """What a rule prints, its program reads: the same types and values."""
    section = getattr(SETTINGS, name)
    assert parsed(section) == section


def test_round_trip_of_odd_paths():
    """Spaces, quotes and characters that a shell would expand arrive as they are."""
    assert parsed(ODD_PATHS) == ODD_PATHS


def test_odd_paths_through_a_real_shell():
    """A shell gives a program the same words as shlex does."""
    options = command_line.option_string(ODD_PATHS)
    show = shlex.quote("import sys; print(ascii(sys.argv[1:]))")
    shown = subprocess.run(
        f"{shlex.quote(sys.executable)} -c {show} {options}",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == ascii(shlex.split(options))


def test_a_mapping_is_words_with_an_equals_sign(capsys):
    """In one order, whatever that of the settings; a word without is named."""
    columns = {"id_str": "objid", "file_loc": "png_loc"}
    one = catalog_settings(image_folders=["."], columns=columns)
    other = catalog_settings(
        image_folders=["."], columns=dict(reversed(columns.items()))
    )
    text = command_line.option_string(one)
    assert text.startswith("--columns file_loc=png_loc id_str=objid --")
    assert command_line.option_string(other) == text
    program = command_line.parser("A program.", PrepareCatalog)
    for words in (["objid"], ["a=b", "a=c"]):
        options = [*shlex.split(text), "--columns", *words]
        with pytest.raises(SystemExit):
            command_line.parse(program, options)
        assert f"--columns: found {words[-1]!r}, expected name=value" in (
            capsys.readouterr().err
        )


@pytest.mark.parametrize("value", [1e-5, 0.1 + 0.2, 1e22, 3e-300])
def test_numbers_keep_every_digit(value):
    """Settings go through text without rounding."""
    section = SETTINGS.train.model_copy(update={"learning_rate": value})
    assert parsed(section).learning_rate == value


def test_options_are_sorted_and_one_line():
    """The string that a rule's identity holds does not depend on the fields' order."""
    text = command_line.option_string(SETTINGS.train)
    names = [word for word in shlex.split(text) if word.startswith("--")]
    assert names == sorted(names)
    # All but what is no part of a rule's identity.
    assert {*names, "--n-gpus"} == {
        "--" + name.replace("_", "-") for name in Train.model_fields
    }
    assert "--n-gpus" not in names
    assert "\n" not in text


def test_an_option_of_the_program_itself():
    """A program adds its files; without a section there are no settings."""
    program = command_line.parser("A program.")
    program.add_argument("--table", type=Path)
    args = command_line.parse(program, ["--table", "a b"])
    assert args.table == Path("a b")
    assert not hasattr(args, "settings")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--train", "much", "--train: found 'much'"),
        ("--train", "1.5", "--train: found '1.5'"),
        ("--train", "0.9", "expected 1"),
        ("--galaxies-per-shard", "1.5", "--galaxies-per-shard: found '1.5'"),
        ("--trains", "1", "unrecognized arguments: --trains"),
    ],
)
def test_bad_options_are_named(capsys, option, value, message):
    """A program ends with status 2 and says which option is wrong."""
    options = shlex.split(command_line.option_string(SETTINGS.split_catalog))
    with pytest.raises(SystemExit) as stopped:
        command_line.parse(
            command_line.parser("A program.", SplitCatalog), [*options, option, value]
        )
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_what_is_not_given_is_as_in_config_yaml():
    """A program is run from a shell with the options that differ."""
    program = command_line.parser("A program.", Train)
    found = command_line.parse(program, ["--epochs", "3"]).settings
    assert found == SETTINGS.train.model_copy(update={"epochs": 3})


def test_another_settings_file(tmp_path, capsys):
    """Its values hold for what is not given; what it lacks is named, with the file."""
    own = tmp_path / "own.yaml"
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["predict"] = {"n_samples": 7}
    own.write_text(yaml.safe_dump(config))
    options = ["--config", str(own), "--seed", "1"]
    program = command_line.parser("A program.", Predict)
    assert command_line.parse(program, options).settings == Predict(n_samples=7, seed=1)
    with pytest.raises(SystemExit) as stopped:
        command_line.parse(program, options[:2])
    assert stopped.value.code == 2
    assert f"--seed: not given, and not found in {own}" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "- a list", "a: [", "\xff"])
def test_a_settings_file_that_is_none(tmp_path, capsys, content):
    """It is named, if it is needed; rules, which give every option, read none."""
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    program = command_line.parser("A program.", SplitCatalog)
    with pytest.raises(SystemExit) as stopped:
        command_line.parse(program, ["--config", str(path)])
    assert stopped.value.code == 2
    assert f"--config: {path}: expected" in capsys.readouterr().err
    every = shlex.split(command_line.option_string(SETTINGS.split_catalog))
    found = command_line.parse(program, ["--config", str(path), *every])
    assert found.settings == SETTINGS.split_catalog


def test_programs_of_several_sections():
    """Each setting has its default from the section of its stage."""
    program = command_line.parser("A program.", MakePredictionsLoop)
    found = command_line.parse(program, []).settings
    assert found.n_samples == SETTINGS.predict.n_samples
    assert found.batch_size == SETTINGS.extract_representations.batch_size
    assert found.galaxies_per_chunk == SETTINGS.chunk_catalog.galaxies_per_chunk
    part = command_line.parse(command_line.parser("A program.", Training), []).settings
    assert part.model_dump().items() <= SETTINGS.train.model_dump().items()


@pytest.mark.parametrize("name", SECTIONS)
def test_help_tells_every_default(capsys, name):
    """As config.yaml states it."""
    section = getattr(SETTINGS, name)
    with pytest.raises(SystemExit) as stopped:
        command_line.parser("A program.", type(section)).parse_args(["--help"])
    assert stopped.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("(default: ") == len(type(section).model_fields) + 1
    for field, value in section.model_dump().items():
        if isinstance(value, int | float):
            option = shown.rpartition(f" --{field.replace('_', '-')} VALUE ")[2]
            assert option.partition("(default: ")[2].startswith(f"{value})")


def test_help_says_what_each_option_is(capsys):
    """The fields' own docstrings are the help, also where they hold a per cent sign."""
    with pytest.raises(SystemExit):
        command_line.parser("A program.", Train).parse_args(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for name, field in Train.model_fields.items():
        assert f"--{name.replace('_', '-')} VALUE" in shown
        assert " ".join(field.description.split()) in shown
