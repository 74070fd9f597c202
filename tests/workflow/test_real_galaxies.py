"""The same workflow on real galaxies, where a folder of them is given."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.workflow.workflow import ROOT, TINY, copy_project, snakemake

DATA = Path(os.environ.get("ZOOBOT_REAL_DATA", ""), "gz2_sample")
if "ZOOBOT_REAL_DATA" in os.environ:
    DATA = (ROOT / DATA).resolve()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (DATA / "labelled.csv").is_file(),
        reason=f"no real galaxies: ZOOBOT_REAL_DATA names no folder with {DATA}",
    ),
]


def test_200_galaxies_of_galaxy_zoo_2(tmp_path: Path):
    """Half of them rings by the usual cut, so that each part has some."""
    table = pd.read_csv(DATA / "labelled.csv", dtype={"id_str": str})
    table["file_loc"] = [str(DATA / path) for path in table["file_loc"]]
    rings = table["rare-features_ring_fraction"] > 0.25
    rings &= table["smooth-or-featured_featured-or-disk_fraction"] > 0.25
    rings &= table["disk-edge-on_no_fraction"] > 0.75
    sample = pd.concat([table[rings].head(100), table[~rings].head(100)])
    sample.to_csv(tmp_path / "labelled.csv", index=False)
    project = copy_project(tmp_path / "project")
    example = yaml.safe_load((ROOT / "examples/galaxy_zoo_2.yaml").read_text())
    tiny = yaml.safe_load(TINY.read_text())
    for section, values in tiny.items():  # the example's inputs, the tiny run's sizes
        if section not in ("run_name", "prepare_ring_catalog"):
            example[section] = example.get(section, {}) | values
    config = tmp_path / "real.yaml"
    config.write_text(yaml.safe_dump(example | {"data_folder": str(tmp_path)}))
    result = snakemake(project, configfiles=(config,))
    assert result.returncode == 0, result.stdout

    results = project / "results"
    fractions = pd.read_parquet(
        results / "predictions/galaxy_zoo_2_vote_fractions.parquet"
    )
    assert sorted(fractions["id_str"]) == sorted(sample["id_str"])
    metrics = pd.read_csv(results / "evaluation/galaxy_zoo_2_metrics.csv")
    overall = metrics[metrics["question"] == "all"].set_index("predictor")
    assert (
        overall["n"] == len(pd.read_parquet(results / "catalog/test.parquet"))
    ).all()
    # Two epochs on 140 galaxies start from the constant prediction and stay near it.
    assert overall.loc["model", "loss"] < 1.2 * overall.loc["constant", "loss"]
    ring_metrics = json.loads((results / "rings/galaxy_zoo_2/metrics.json").read_text())
    assert ring_metrics["final"]["n_positive"] > 0
