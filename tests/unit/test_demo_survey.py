"""The simulated survey on disk: tables, images, truth, and independence."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from workflow_scripts import simulate_survey as script
from zoobot import command_line
from zoobot.demo import contact_sheet, population
from zoobot.demo.survey import simulate_survey
from zoobot.schemas import get_schema
from zoobot.settings.catalog import SimulateSurvey

_SCHEMA = get_schema("gz_decals")
_TEXT = {"id_str": str, "file_loc": str}


def _settings(**changes: object) -> SimulateSurvey:
    values = {
        "n_labelled": 40,
        "n_unlabelled": 3,
        "image_size_px": 32,
        "file_format": "png",
        "volunteers_min": 2,
        "volunteers_max": 9,
        "vote_concentration": 20.0,
        "ring_fraction": 0.25,
        "seed": 42,
    }
    return SimulateSurvey(**values | changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A survey of 43 galaxies."""
    path = tmp_path_factory.mktemp("survey")
    simulate_survey(path, settings=_settings())
    return path


def test_tables_have_the_columns_and_galaxies(folder):
    """Columns in the schema's order; ids and files relative to the table."""
    labelled = pd.read_csv(folder / "labelled.csv", dtype=_TEXT)
    unlabelled = pd.read_csv(folder / "unlabelled.csv", dtype=_TEXT)
    assert list(labelled.columns) == [
        "id_str",
        "file_loc",
        *_SCHEMA.label_cols,
        "smooth-or-featured_featured-or-disk_fraction",
        "disk-edge-on_no_fraction",
        "has-spiral-arms_no_fraction",
        "rare-features_ring_fraction",
    ]
    assert list(unlabelled.columns) == ["id_str", "file_loc"]
    both = pd.concat([labelled, unlabelled])
    assert list(both["id_str"]) == [f"SIM{i:06d}" for i in range(43)]
    for file_loc in both["file_loc"]:
        with Image.open(folder / file_loc) as image:
            assert image.size == (32, 32)
            assert image.mode == "RGB"


def test_votes_and_fractions_agree(folder):
    """Fractions are of those asked, and empty where nobody was."""
    table = pd.read_csv(folder / "labelled.csv", dtype=_TEXT)
    votes = table[_SCHEMA.label_cols]
    assert (votes.dtypes == np.int64).all()
    n_volunteers = votes.iloc[:, _SCHEMA.questions[0].columns].sum(axis=1)
    assert n_volunteers.between(2, 9).all()
    for question, answer in (
        ("smooth-or-featured", "smooth-or-featured_featured-or-disk"),
        ("disk-edge-on", "disk-edge-on_no"),
        ("has-spiral-arms", "has-spiral-arms_no"),
    ):
        asked = votes.filter(regex=f"^{question}_").sum(axis=1)
        fraction = table[f"{answer}_fraction"]
        assert fraction.isna().equals(asked == 0)
        np.testing.assert_allclose(
            (fraction * asked)[asked > 0],
            votes[answer][asked > 0],
            rtol=0,
            atol=1e-9,
        )
    rings = table["rare-features_ring_fraction"]
    n_asked = votes.filter(regex="^merging_").sum(axis=1)
    assert rings.isna().equals(n_asked == 0)
    counts = (rings * n_asked).dropna()
    np.testing.assert_allclose(counts, counts.round(), rtol=0, atol=1e-9)
    assert rings.dropna().between(0, 1).all()


def test_truth_has_parameters_and_concentrations(folder):
    """All galaxies, what they are, and a concentration for every answer."""
    truth = pd.read_parquet(folder / "truth.parquet")
    assert list(truth["id_str"]) == [f"SIM{i:06d}" for i in range(43)]
    columns = [f"{col}_concentration" for col in _SCHEMA.label_cols]
    assert (truth[columns] > 0).all(axis=None)
    expected = population.random(
        population.stream(42, purpose="galaxy", index=7), ring_fraction=0.25
    )
    for name in ("kind", "snr", "n_arms", "has_ring", "merging", "bulge_fraction"):
        assert truth.loc[7, name] == getattr(expected, name)


def test_galaxies_do_not_depend_on_numbers_or_processes(folder, tmp_path):
    """More galaxies, other shares of labels and two processes: the same galaxies."""
    settings = _settings(n_labelled=10, n_unlabelled=50)
    simulate_survey(tmp_path, settings=settings, n_processes=2)
    for i in range(43):
        name = f"images/SIM{i:06d}.png"
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    before, after = (pd.read_csv(p / "labelled.csv") for p in (folder, tmp_path))
    pd.testing.assert_frame_equal(before[:10], after)
    before, after = (pd.read_parquet(p / "truth.parquet") for p in (folder, tmp_path))
    pd.testing.assert_frame_equal(before, after[:43])


def test_rerun_over_a_folder(tmp_path):
    """A second run replaces the first one's tables; another seed changes them."""
    simulate_survey(tmp_path, settings=_settings(n_labelled=4, n_unlabelled=0))
    first = (tmp_path / "labelled.csv").read_bytes()
    simulate_survey(tmp_path, settings=_settings(n_labelled=4, n_unlabelled=0))
    assert (tmp_path / "labelled.csv").read_bytes() == first
    settings = _settings(n_labelled=4, n_unlabelled=0, file_format="jpg", seed=1)
    simulate_survey(tmp_path, settings=settings)
    table = pd.read_csv(tmp_path / "labelled.csv", dtype=_TEXT)
    assert (tmp_path / "labelled.csv").read_bytes() != first
    with Image.open(tmp_path / table["file_loc"][0]) as image:
        assert image.format == "JPEG"
    assert len(pd.read_csv(tmp_path / "unlabelled.csv")) == 0


def test_a_failed_run_leaves_no_tables(folder, tmp_path, monkeypatch):
    """Tables of an earlier run do not vouch for images that a dead run changed."""
    settings = _settings(n_labelled=2, n_unlabelled=1)
    simulate_survey(tmp_path, settings=settings)

    def die(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("zoobot.demo.pictures.picture", die)
    with pytest.raises(OSError, match="disk full"):
        simulate_survey(tmp_path, settings=settings)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_processes_are_checked(tmp_path):
    """No process draws nothing."""
    with pytest.raises(ValueError, match="n_processes: found 0, expected at least 1"):
        simulate_survey(tmp_path, settings=_settings(), n_processes=0)


def test_script_takes_the_settings_as_options(folder, tmp_path):
    """The program with the printed options does what the library call does."""
    settings = _settings(n_labelled=3, n_unlabelled=1)
    options = command_line.option_string(settings).split()
    script.main(["--folder", str(tmp_path), "--threads", "1", *options])
    name = "images/SIM000003.png"
    assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_examples_show_each_galaxy_once(folder):
    """The contact sheet is a picture of at most 48 galaxies of all kinds."""
    streams = (population.stream(42, purpose="galaxy", index=i) for i in range(400))
    galaxies = [population.random(rng, ring_fraction=0.25) for rng in streams]
    chosen = contact_sheet.choose_examples(galaxies)
    assert len(chosen) == len(set(chosen)) == 48
    assert {galaxies[i].kind for i in chosen} == {g.kind for g in galaxies}
    captions = {contact_sheet.describe(galaxies[i]) for i in chosen}
    assert any("ring" in c for c in captions)
    assert any("2 " in c and "arms" in c for c in captions)
    with Image.open(folder / "examples.png") as image:
        assert min(image.size) > 800
