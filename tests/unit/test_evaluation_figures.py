"""The evaluation's figures, from tables as they are read back."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from zoobot.data_utils.hdf5 import GalaxyRows
from zoobot.evaluation import figures
from zoobot.evaluation.agreement import evaluate
from zoobot.evaluation.volunteers import equivalent_volunteers
from zoobot.schemas import Schema

TREE = Schema(
    {
        "shape": {"answers": ["smooth", "disk", "star"]},
        "bar": {"answers": ["yes", "no"], "asked_after": ["shape_disk"]},
        "arms": {"answers": ["1", "2", "many"], "asked_after": ["bar_yes"]},
    },
    name="tree",
)


def read_back(table: pd.DataFrame) -> pd.DataFrame:
    """A table through csv."""
    return pd.read_csv(io.StringIO(table.to_csv(index=False, float_format="%.6g")))


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    """Tables of 80 galaxies, two baselines, and a question that nobody was asked."""
    rng = np.random.default_rng(0)
    fractions = rng.dirichlet([1, 2, 1], size=80)
    votes = np.zeros((80, 8), dtype=int)
    votes[:, :3] = rng.multinomial(40, fractions)
    votes[:, 3] = rng.binomial(votes[:, 1], 0.7)
    votes[:, 4] = votes[:, 1] - votes[:, 3]
    catalog = pd.DataFrame(votes, columns=TREE.label_cols)
    ids = [f"{i:02d}" for i in range(80)]
    alpha = np.ones((80, 8, 1), dtype=np.float32)
    constant = GalaxyRows(alpha.copy(), ids, TREE.label_cols, {})
    alpha[:, :3, 0] = 10 * rng.multinomial(4, fractions) + 1
    model = GalaxyRows(alpha, ids, TREE.label_cols, {})
    catalog.insert(0, "id_str", ids)
    options = {"n_resamples": 50, "interval": 0.8}
    found = evaluate(
        model,
        catalog,
        TREE,
        baselines={"constant": constant, "of my own": constant},
        **options,
    )
    worth = equivalent_volunteers(model, catalog, TREE, **options)
    return {
        "metrics": read_back(found.metrics),
        "answers": read_back(found.answers),
        "confusion": read_back(found.confusion),
        "numbers": read_back(worth.numbers),
        "errors": read_back(worth.errors),
    }


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Every figure that is saved, in order."""
    result: list[Figure] = []
    save = Figure.savefig

    def remember(figure: Figure, *args, **options) -> None:
        result.append(figure)
        save(figure, *args, **options)

    monkeypatch.setattr(Figure, "savefig", remember)
    return result


def texts(figure: Figure) -> list[str]:
    """Everything written inside the panels, and their titles."""
    panels = [axes for axes in figure.axes if axes.get_visible()]
    inside = [text.get_text() for axes in panels for text in axes.texts]
    return inside + [axes.get_title() for axes in panels]


def test_metrics(tables: dict, drawn: list[Figure], tmp_path: Path) -> None:
    """Three panels; points and bars where the table has them; the empty row says so."""
    figures.plot_metrics(tables["metrics"], path=tmp_path / "m.png")
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")
    accuracy = drawn[0].axes[0]
    assert len(drawn[0].axes) == 3
    assert texts(drawn[0]).count("no galaxy") == 3
    wanted = tables["metrics"].query("predictor == 'model' and galaxies == 'all'")
    x = accuracy.collections[1].get_offsets()[:, 0]
    np.testing.assert_allclose(x[:2], wanted["accuracy"][:2])
    ends = accuracy.collections[0].get_segments()[0]
    lower, upper = (
        wanted[f"accuracy_80pc-{end}"].iloc[0] for end in ("lower", "upper")
    )
    np.testing.assert_allclose(ends[:, 0], [lower, upper])
    assert "of my own" in [text.get_text() for text in drawn[0].legends[0].texts]


def test_answers(tables: dict, drawn: list[Figure], tmp_path: Path) -> None:
    """A row a question and a row an answer."""
    figures.plot_answers(tables["answers"], path=tmp_path / "a.png")
    axes = drawn[0].axes[0]
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert labels[:4] == ["shape (n = 80)", "smooth", "disk", "star"]
    assert labels[-4:] == ["arms (n = 0)", "1", "2", "many"]
    assert texts(drawn[0]).count("no galaxy") == 3


def test_confusion(tables: dict, drawn: list[Figure], tmp_path: Path) -> None:
    """The counts of the model stand in the cells, rows are the volunteers'."""
    figures.plot_confusion(tables["confusion"], path=tmp_path / "c.png")
    panel = drawn[0].axes[0]
    cells = {text.get_position(): int(text.get_text()) for text in panel.texts}
    rows = tables["confusion"].query(
        "question == 'shape' and predictor == 'model' and galaxies == 'all'"
    )
    answers = TREE.label_cols[:3]
    for row in rows.itertuples():
        place = answers.index(row.predicted), answers.index(row.volunteers)
        assert cells[place] == row.n
    assert "arms (n = 0)" in texts(drawn[0])
    assert texts(drawn[0]).count("no galaxy") == 1


def test_volunteers(tables: dict, drawn: list[Figure], tmp_path: Path) -> None:
    """The number and its interval are written; no galaxy where there is none."""
    figures.plot_volunteers(
        tables["numbers"], tables["errors"], path=tmp_path / "v.png"
    )
    row = tables["numbers"].iloc[0]
    found = texts(drawn[0])
    assert any(text.startswith(f"{row['volunteers']:.1f} (") for text in found)
    assert found.count("no galaxy") == 1


@pytest.mark.parametrize(
    ("number", "ends", "expected"),
    [
        (0.0, (0.0, 1.2), "less than one volunteer"),
        (15.0, (12.0, 15.0), "at least 15 volunteers"),
        (2.34, (0.0, 4.0), "2.3 (<1 to 4.0) volunteers"),
        (12.0, (9.96, 15.0), "12.0 (10.0 to >15) volunteers"),
    ],
)
def test_numbers_beyond_what_was_tried(
    tables: dict,
    drawn: list[Figure],
    tmp_path: Path,
    number: float,
    ends: tuple[float, float],
    expected: str,
) -> None:
    """Bounds are written as such."""
    numbers = tables["numbers"].head(1).copy()
    columns = ["volunteers", "volunteers_80pc-lower", "volunteers_80pc-upper"]
    numbers[columns] = [number, *ends]
    numbers["is_lower_bound"], numbers["is_below_one"] = number == 15, number == 0
    figures.plot_volunteers(numbers, tables["errors"], path=tmp_path / "v.png")
    assert expected in texts(drawn[0])


def test_training(drawn: list[Figure], tmp_path: Path) -> None:
    """Each member's lines, and the epoch whose weights are kept."""
    history = pd.DataFrame(
        {"epoch": [0, 1, 2], "loss": [9.0, 7, 6], "val_loss": [9.0, 8, 8.5]}
    )
    paths = [tmp_path / "0.csv", tmp_path / "1.csv"]
    for path in paths:
        history.to_csv(path, index=False)
    figures.plot_training(paths, path=tmp_path / "t.png")
    lines = drawn[0].axes[0].lines
    assert len(lines) == 6
    assert list(lines[2].get_xdata()) == [2]
    assert list(lines[2].get_ydata()) == [8.0]
