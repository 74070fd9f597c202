"""One table of ring probabilities from those of the chunks."""

import numpy as np
import pandas as pd

from zoobot.data_utils.ring_tables import summarise_rings


def test_most_likely_rings_first(tmp_path):
    """All galaxies once; equal probabilities in the order of their ids."""
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
    parquet, csv = tmp_path / "rings.parquet", tmp_path / "rings.csv"
    summarise_rings(chunks, parquet=parquet, csv=csv)
    expected = sorted(zip(-probability, ids, strict=True))
    found = pd.read_parquet(parquet)
    assert list(found) == ["id_str", "ring_probability"]
    assert list(found["id_str"]) == [galaxy for _, galaxy in expected]
    assert list(-found["ring_probability"]) == [minus for minus, _ in expected]
    text = pd.read_csv(csv, dtype={"id_str": str})
    assert list(text["id_str"]) == list(found["id_str"])
    # Five decimals in the csv.
    np.testing.assert_allclose(
        text["ring_probability"], found["ring_probability"], rtol=0, atol=5.1e-6
    )
