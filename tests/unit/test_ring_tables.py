"""One table of ring probabilities from those of the chunks."""

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from zoobot.data_utils import ring_tables
from zoobot.data_utils.ring_tables import summarise_rings
from zoobot.tables import parquet_pieces

FORMATS = ("parquet", "csv", "fits")


@pytest.mark.parametrize("rows_in_pass", [1, 3, 7, 1000])
def test_most_likely_rings_first(tmp_path, monkeypatch, rows_in_pass):
    """All galaxies once, however few are in memory; equal ones in order of ids."""
    monkeypatch.setattr(ring_tables, "_ROWS_IN_PASS", rows_in_pass)
    monkeypatch.setattr(ring_tables, "_ROWS_TO_WRITE", 4)
    monkeypatch.setattr(parquet_pieces, "_ROWS", 8)
    rng = np.random.default_rng(0)
    ids = [f"{i:03d}" for i in range(60)]
    probability = np.round(rng.random(60), 1).astype(np.float32)
    order = rng.permutation(60)
    chunks = []
    for i, rows in enumerate(np.array_split(order, [10, 10, 35])):
        path = tmp_path / f"{i}.parquet"
        pd.DataFrame(
            {
                "id_str": pd.Series([ids[row] for row in rows], dtype="str"),
                "ring_probability": probability[rows],
            }
        ).to_parquet(path)
        chunks.append(path)
    parquet, csv, fits_table = (tmp_path / f"rings.{s}" for s in FORMATS)
    summarise_rings(chunks, parquet=parquet, csv=csv, fits_table=fits_table)
    expected = sorted(zip(-probability, ids, strict=True))
    found = pd.read_parquet(parquet)
    assert list(found) == ["id_str", "ring_probability"]
    assert list(found["id_str"]) == [galaxy for _, galaxy in expected]
    assert list(-found["ring_probability"]) == [minus for minus, _ in expected]
    in_fits = Table.read(fits_table)
    assert in_fits["ring_probability"].description.startswith("Probability that")
    assert [str(galaxy) for galaxy in in_fits["id_str"]] == list(found["id_str"])
    assert list(in_fits["ring_probability"]) == list(found["ring_probability"])
    text = pd.read_csv(csv, dtype={"id_str": str})
    assert list(text["id_str"]) == list(found["id_str"])
    # Five decimals in the csv.
    np.testing.assert_allclose(
        text["ring_probability"], found["ring_probability"], rtol=0, atol=5.1e-6
    )


def test_no_galaxy(tmp_path):
    """Tables without rows give a table without rows."""
    columns = {"id_str": pd.Series([], dtype="str"), "ring_probability": np.float32([])}
    pd.DataFrame(columns).to_parquet(tmp_path / "0.parquet")
    parquet, csv, fits_table = (tmp_path / f"rings.{s}" for s in FORMATS)
    summarise_rings(
        [tmp_path / "0.parquet"], parquet=parquet, csv=csv, fits_table=fits_table
    )
    assert pd.read_parquet(parquet).shape == (0, 2)
    assert csv.read_text() == "id_str,ring_probability\n"


def test_galaxies_without_probability_come_last(tmp_path):
    """NaN is less than any probability."""
    table = pd.DataFrame(
        {"id_str": list("abcd"), "ring_probability": np.float32([np.nan, 0, np.nan, 1])}
    )
    table.to_parquet(tmp_path / "0.parquet")
    parquet, csv, fits_table = (tmp_path / f"rings.{s}" for s in FORMATS)
    summarise_rings(
        [tmp_path / "0.parquet"], parquet=parquet, csv=csv, fits_table=fits_table
    )
    assert list(pd.read_parquet(parquet)["id_str"]) == list("dbac")


def test_other_predictions_keep_their_columns(tmp_path):
    """The first of them decides about the order; tables that differ are named."""
    table = pd.DataFrame(
        {"id_str": list("abc"), "x": np.float32([1, 3, 2]), "y": np.float32([9, 8, 7])}
    )
    table.to_parquet(tmp_path / "0.parquet")
    files = dict(zip(("parquet", "csv", "fits_table"), FORMATS, strict=True))
    files = {name: tmp_path / f"rings.{suffix}" for name, suffix in files.items()}
    summarise_rings([tmp_path / "0.parquet"], **files)
    found = pd.read_parquet(files["parquet"])
    assert list(found["id_str"]) == list("bca") and list(found["y"]) == [8, 7, 9]
    table[["id_str", "y"]].to_parquet(tmp_path / "1.parquet")
    both = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    with pytest.raises(
        ValueError, match=r"1.parquet: found columns id_str, y, expected"
    ):
        summarise_rings(both, **files)
