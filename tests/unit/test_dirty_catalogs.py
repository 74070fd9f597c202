"""A catalogue of everything that goes wrong: each row is good, or rejected by reason.

All rows go through `prepare_catalog` together, so that none harms another and the
totals hold with all of them at once.
"""

import csv
import dataclasses
import gzip
import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import ImageFile

from tests import dirty_images
from tests.catalogs import COLUMNS, SCHEMA, draw_images, prepare, write_csv
from zoobot.data_utils.images import load_image

GOOD, UNVOTED = "labelled", "unlabelled"
VOTES = (3, 2, 1, 1)


@dataclasses.dataclass
class Row:
    """One row of the dirty catalogue, and what becomes of it."""

    expected: str
    """``labelled``, ``unlabelled`` or a part of the reason why it is rejected."""
    id_str: str | None = None
    """The case's name, if not given."""
    file_loc: str = "good.png"
    votes: tuple = VOTES
    plant: dirty_images.Plant = lambda path: None
    found_id: str | None = None
    """Where the id changes on its way."""


COUNT = "expected a whole number of votes from 0 to 16777216"
ROWS = {
    # Ids stay what they are, whatever they look like.
    "leading zeros": Row(GOOD, "000123"),
    "no zeros": Row(GOOD, "123"),
    "18 digits": Row(GOOD, "587722981742084144"),
    "18 digits, the next": Row(GOOD, "587722981742084145"),
    "30 digits": Row(GOOD, "1" * 30),
    "exponent": Row(GOOD, "1e5"),
    "fraction": Row(GOOD, "1.0"),
    "not a number": Row(GOOD, "nan"),
    "NA": Row(GOOD, "NA"),
    "None": Row(GOOD, "None"),
    "true": Row(GOOD, "True"),
    "id in unicode": Row(GOOD, "галактика ñ 星系 🌌"),
    "id with a comma": Row(GOOD, "J0123, 4"),
    "id with quotes": Row(GOOD, 'it\'s "quoted"'),
    "id with spaces around": Row(GOOD, "  J0123 +45 ", found_id="J0123 +45"),
    "id is a formula": Row(GOOD, "=cmd|' /C calc'!A0"),
    "id is html": Row(GOOD, "<script>alert(1)</script>"),
    "id is a path": Row(GOOD, "../../../etc/passwd"),
    "id is a command": Row(GOOD, "$(touch pwned)`touch pwned`; touch pwned"),
    "id is a wildcard": Row(GOOD, "{run_name} %s *"),
    "id is long": Row(GOOD, "x" * 5000),
    "id is empty": Row("id_str: empty", ""),
    "id is blank": Row("id_str: empty", " \t ", found_id=""),
    "id repeats": Row("stands already in", "123"),
    "id repeats but for spaces": Row("stands already in", " 123", found_id="123"),
    "id with a line end": Row("without control characters", "two\nlines"),
    "id with a carriage return": Row("without control characters", "two\rlines"),
    "id with a NUL": Row("without control characters", "a\0b"),
    "id with an escape": Row("without control characters", "\x1b[31mred"),
    "id in latin-1": Row("expected UTF-8", "caf\udce9", found_id="caf\ufffd"),
    # Votes.
    "whole number with a fraction of 0": Row(GOOD, votes=("3.0", "2.", 1, 1)),
    "spaces and signs": Row(GOOD, votes=(" 3 ", "+2", "001", 1)),
    "more volunteers at a child than at its parent": Row(GOOD, votes=(5, 1, 4, 3)),
    "child without a parent": Row(GOOD, votes=(5, 0, 4, 0)),
    "most votes": Row(GOOD, votes=(2**24, 2**24, 0, 0)),
    "no vote": Row(UNVOTED, votes=(0, 0, 0, 0)),
    "too many votes": Row(COUNT, votes=(2**24 + 1, 1, 1, 1)),
    "absurdly many votes": Row(COUNT, votes=("1" + "0" * 400, 1, 1, 1)),
    "negative": Row("shape_flat: found '-1'", votes=(1, -1, 1, 1)),
    "half a vote": Row("arms_yes: found '2.5'", votes=(1, 1, 2.5, 1)),
    "NaN": Row("arms_no: found 'nan'", votes=(1, 1, 1, np.nan)),
    "infinite": Row("shape_round: found 'inf'", votes=(np.inf, 1, 1, 1)),
    "minus infinity": Row("shape_round: found '-inf'", votes=(-np.inf, 1, 1, 1)),
    "beyond a float": Row("found '1e999'", votes=("1e999", 1, 1, 1)),
    "exponent votes": Row("found '1e1'", votes=("1e1", 1, 1, 1)),
    "no value": Row("shape_round: found no value", votes=("", 1, 1, 1)),
    "text": Row("found 'many'", votes=("many", 1, 1, 1)),
    "hexadecimal": Row("found '0x1'", votes=("0x1", 1, 1, 1)),
    "thousands": Row("found '1,000'", votes=("1,000", 1, 1, 1)),
    "decimal comma": Row("found '1,0'", votes=("1,0", 1, 1, 1)),
    "digits of another script": Row("found '\u0663'", votes=("\u0663", 1, 1, 1)),
    "votes with a NUL": Row(r"found '1\x00'", votes=("1\0", 1, 1, 1)),
    "votes in latin-1": Row("expected UTF-8", votes=("\udcb9", 1, 1, 1)),
    # Rows.
    "too few fields": Row("fields, expected 6", votes=(1, 1)),
    "too many fields": Row("fields, expected 6", votes=(1, 1, 1, 1, 1, 1)),
    "path in latin-1": Row("expected UTF-8", file_loc="caf\udce9.png"),
    # Paths.
    "path from the root": Row(GOOD, file_loc="{folder}/images/good.png"),
    "path upwards": Row(GOOD, file_loc="../images/./sub/../good.png"),
    "spaces around a path": Row(GOOD, file_loc=" good.png\t"),
    "nothing": Row("file_loc: empty", file_loc=" "),
    **{
        f"image: {name}": Row(GOOD, file_loc=file_name, plant=plant)
        for name, (file_name, plant) in dirty_images.GOOD.items()
    },
    **{
        f"image: {name}": Row(reason, file_loc=file_name, plant=plant)
        for name, (file_name, plant, reason) in dirty_images.BAD.items()
    },
}
N_FILLERS = 3000  # so that rows lie in several blocks of the reader


def written(row, name, folder):
    """The fields of a row in the catalogue."""
    id_str = name if row.id_str is None else row.id_str
    file_loc = row.file_loc.replace("{folder}", str(folder))
    return [id_str, file_loc, *row.votes]


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """The folder of the dirty catalogue, its lines, and what became of them."""
    folder = tmp_path_factory.mktemp("dirty")
    images = folder / "images"
    draw_images(images, ["good.png"])
    (images / "sub").mkdir()
    for row in ROWS.values():
        row.plant(images / row.file_loc)
    lines = [written(row, name, folder) for name, row in ROWS.items()]
    fillers = [[f"filler {i}", "good.png", *VOTES] for i in range(N_FILLERS)]
    half = len(lines) // 2
    lines = [*lines[:half], *fillers, *lines[half:]]
    path = images / "labelled.csv"
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        csv.writer(file).writerows([COLUMNS, *lines])
    return folder, lines, prepare(folder, labelled=["images/labelled.csv"])


def test_totals(survey):
    """Every row is in one of the three tables, once."""
    _, lines, result = survey
    n_good, n_unvoted = (
        sum(row.expected == kind for row in ROWS.values()) for kind in (GOOD, UNVOTED)
    )
    assert len(result.labelled) == n_good + N_FILLERS
    assert len(result.unlabelled) == n_unvoted
    assert len(result) == len(lines) == len(ROWS) + N_FILLERS
    assert result.labelled["id_str"].is_unique
    assert (result.rejected["reason"] != "").all()


@pytest.mark.parametrize("name", ROWS)
def test_row(survey, name):
    """Each row is where it should be, with its id, its path and its votes or reason."""
    folder, _, result = survey
    row = ROWS[name]
    id_str, file_loc, *votes = written(row, name, folder)
    if row.found_id is not None:
        id_str = row.found_id
    table = getattr(result, row.expected, result.rejected)
    found = table[table["id_str"] == id_str]
    if table is not result.rejected:
        assert len(found) == 1
        path = os.path.normpath(folder / "images" / file_loc.strip(" \t"))
        assert found["file_loc"].item() == path
        assert load_image(path, size_px=8).shape == (8, 8, 3)
    else:
        assert found["reason"].str.contains(row.expected, regex=False).any()
        if row.expected == "file does not exist":
            assert found["file_loc"].item().startswith(str(folder))
    if table is result.labelled:
        expected = [int(float(vote)) for vote in votes]
        assert found[SCHEMA.label_cols].to_numpy().tolist() == [expected]


def test_the_first_frame_counts(survey):
    """Of an animated png and of a jpg of several pictures; the second is negative."""
    folder, _, _ = survey
    first = dirty_images.RGB.astype(int)
    for name in ("animated.png", "several.jpg"):
        found = load_image(folder / "images" / name, size_px=dirty_images.SIDE_PX)
        # Noise stored as jpeg is far off.
        error = np.abs(found - first).mean()
        assert error < np.abs(found - (255 - first)).mean()


def test_a_bomb_is_not_decoded(tmp_path, monkeypatch):
    """20,000 x 20,000 pixels are refused by the header alone."""
    dirty_images.decompression_bomb(tmp_path / "bomb.png")
    write_csv(tmp_path / "u.csv", [["a", "bomb.png"]], columns=COLUMNS[:2])

    def no_pixels(*_):
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", no_pixels)
    with pytest.raises(ValueError, match="image is too large"):
        prepare(tmp_path, unlabelled=["u.csv"])


HEADER = ",".join(COLUMNS)
NOTES = f"{HEADER},note"
GOOD_TABLES = {
    "byte order mark": f"\ufeff{HEADER}\na,good.png,3,2,1,1\n",
    "byte order mark and quotes": f'\ufeff"id_str"{HEADER[6:]}\n"a",good.png,3,2,1,1\n',
    "CRLF": f"{HEADER}\na,good.png,3,2,1,1\n".replace("\n", "\r\n"),
    "CR": f"{HEADER}\na,good.png,3,2,1,1\n".replace("\n", "\r"),
    "no last line end": f"{HEADER}\na,good.png,3,2,1,1",
    "blank lines": f"\n\n{HEADER}\n\n\na,good.png,3,2,1,1\n\n\n",
    "another order": "arms_no,shape_flat,file_loc,shape_round,arms_yes,id_str\n"
    "1,2,good.png,3,1,a\n",
    "more columns, some doubled": f"x,{HEADER},x,,\n7,a,good.png,3,2,1,1,8,9,\n",
    "notes of several lines": f'{NOTES}\na,good.png,3,2,1,1,"so\nround, so fine"\n',
    "notes in latin-1": f"{NOTES}\na,good.png,3,2,1,1,caf\udce9\n",
    "header in latin-1": f"{HEADER},caf\udce9\na,good.png,3,2,1,1,\n",
    "quotes inside a text": f'{NOTES}\na,good.png,3,2,1,1,5" telescope\n',
    "everything in quotes": f'"{HEADER}"\n"a,good.png,3,2,1,1"\n'.replace(",", '","'),
}
BAD_TABLES = {
    "semicolons": (
        f"{HEADER}\na,good.png,3,2,1,1\n".replace(",", ";"),
        r"l\.csv: found columns separated by semicolons, expected commas",
    ),
    "tabs": (f"{HEADER}\n".replace(",", "\t"), "separated by tabs"),
    "UTF-16": (
        f"\ufeff{HEADER}\n".encode("utf-16-le"),
        r"l\.csv: found text in UTF-16",
    ),
    "a column missing": ("id_str,file_loc,shape_round\n", "shape_flat, arms_yes"),
    "a column doubled": (f"{HEADER},arms_no\n", "columns repeat: arms_no"),
    "other names": ("ID,FILE\n1,a.png\n", "columns missing"),
    "no header": ("a,good.png,3,2,1,1\n", "columns missing"),
    "nothing at all": ("", "columns missing"),
    "line ends alone": ("\n\n", "columns missing"),
    "zeros": (bytes(3000), "columns missing"),
    "a header alone": (f"{HEADER}\n", "no galaxy: the tables have no row"),
    "a page": ("<!doctype html>\n<p>404", "columns missing"),
    "compressed": (gzip.compress(HEADER.encode()), "columns missing"),
    "a quote that opens": (
        f'{HEADER}\na,good.png,3,2,1,1\nb,"good.png,3,2,1,1\nc,good.png,3,2,1,1\n',
        "line 3: .*quote",
    ),
    "a quote that opens in the last field": (
        f'{HEADER}\na,good.png,3,2,1,"1\nb,good.png,3,2,1,1\n',
        "line 2: .*quote",
    ),
    "a quote that opens in the last field of a column that nobody reads": (
        f'{NOTES}\na,good.png,3,2,1,1,"x\nb,good.png,3,2,1,1,y\n',
        "line 2: .*quote",
    ),
    "a quote that opens in the last line": (
        f'{NOTES}\na,good.png,3,2,1,1,x\nb,good.png,3,2,1,1,"y',
        "line 3: .*quote",
    ),
    "a quote that opens in the header": (
        f'"{HEADER}\na,good.png,3,2,1,1\n',
        "line 1: .*quote",
    ),
    "a quote that the next quote closes": (
        f'{NOTES}\na,good.png,3,2,1,1,"x\nb,good.png,3,2,1,1,"y"\n',
        "line 2: .*quote",
    ),
    "two quotes missing": (
        f'{NOTES}\na,good.png,3,2,1,1,"x\nb,good.png,3,2,1,1,y"\n',
        "line 2: .*looks like another row",
    ),
    "a quote amid a value": (
        f'{HEADER}\na,"good".png,3,2,1,1\n',
        "line 2: .*at the end of a value",
    ),
    "a row without end": (
        f"{HEADER}\na,{'x' * 200_000},3,2,1,1\n",
        "found a row longer than 65536 bytes",
    ),
}


def as_bytes(content):
    """What a file holds; bytes that are no UTF-8 are surrogates in a text."""
    is_text = isinstance(content, str)
    return content.encode(errors="surrogateescape") if is_text else content


@pytest.mark.parametrize("name", GOOD_TABLES)
def test_good_table(tmp_path, name):
    """Tables of any make give the same galaxy."""
    draw_images(tmp_path, ["good.png"])
    (tmp_path / "l.csv").write_bytes(as_bytes(GOOD_TABLES[name]))
    result = prepare(tmp_path, labelled=["l.csv"], rejected_share_max=0.0)
    galaxy = ["a", str(tmp_path / "good.png"), *VOTES]
    assert result.labelled[COLUMNS].to_numpy().tolist() == [galaxy]
    assert len(result) == 1


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_table(tmp_path, name):
    """A table that cannot be trusted as a whole stops the stage and is named."""
    content, message = BAD_TABLES[name]
    (tmp_path / "l.csv").write_bytes(as_bytes(content))
    draw_images(tmp_path, ["good.png"])
    with pytest.raises(ValueError, match=message) as error:
        prepare(tmp_path, labelled=["l.csv"])
    assert "l.csv" in str(error.value) or name == "a header alone"
    assert str(error.value).replace("\n", "").isprintable()
    left = sorted(path.name for path in tmp_path.glob("out/*"))
    assert left in ([], ["rejected_by_failed_run.csv"])


GALAXY = {"id_str": ["a"], "file_loc": ["good.png"]}
DIRTY_PARQUET = {
    "float ids": (GALAXY | {"id_str": [1.0]}, "id_str: found type double"),
    "ids in bytes": (GALAXY | {"id_str": [b"a"]}, "id_str: found type binary"),
    "lists of paths": (GALAXY | {"file_loc": [["good.png"]]}, "file_loc: found type"),
    "numbers for paths": (GALAXY | {"file_loc": [0.5]}, "file_loc: found type double"),
    "an id that is null": (GALAXY | {"id_str": [None]}, "id_str: empty"),
    "a path that is null": (GALAXY | {"file_loc": [None]}, "file_loc: empty"),
    "nested votes": (GALAXY | {"shape_round": [[1]]}, r"shape_round: found \[1\]"),
    "NaN votes": (GALAXY | {"shape_round": [np.nan]}, "shape_round: found nan"),
    "infinite votes": (GALAXY | {"shape_round": [np.inf]}, "shape_round: found inf"),
    "votes that are null": (GALAXY | {"shape_round": [None]}, "found no value"),
    "votes that are true": (GALAXY | {"shape_round": [True]}, "found True"),
    "votes as dates": (
        GALAXY | {"shape_round": pa.array([7], pa.timestamp("s"))},
        "shape_round: found datetime",
    ),
    "text that is none": (
        GALAXY
        | {
            "id_str": pa.Array.from_buffers(
                pa.string(), 1, pa.array([b"\xff"]).buffers()
            )
        },
        "Invalid UTF8",
    ),
}


@pytest.mark.parametrize("name", DIRTY_PARQUET)
def test_dirty_parquet(tmp_path, name):
    """Types that no catalogue should have are an error, or the row's reason."""
    columns, message = DIRTY_PARQUET[name]
    votes = dict.fromkeys(SCHEMA.label_cols, pa.array([1]))
    pq.write_table(pa.table(votes | columns), tmp_path / "l.parquet")
    draw_images(tmp_path, ["good.png"])
    with pytest.raises(ValueError, match=message) as error:
        prepare(tmp_path, labelled=["l.parquet"])
    assert "l.parquet" in str(error.value) or "all 1 rows rejected" in str(error.value)


def test_one_row_and_no_labels(tmp_path):
    """A catalogue may have one galaxy; without a vote it is one to predict."""
    draw_images(tmp_path, ["a.png"])
    write_csv(tmp_path / "l.csv", [["a", "a.png", 0, 0, 0, 0]])
    result = prepare(tmp_path, labelled=["l.csv"])
    assert (len(result.labelled), len(result.unlabelled)) == (0, 1)
    assert set(COLUMNS) < set(result.labelled.columns)


def test_dirty_names_in_a_folder_of_images(tmp_path):
    """Names that are no ids, or no text, are rejected; spaces around them go."""
    good = tmp_path / "good.png"
    draw_images(tmp_path, ["good.png"])
    names = [b" spaces .png", b"two\nlines.png", b"caf\xe9.png", b" .png", b"=1+1.PNG"]
    folder = tmp_path / "images"
    folder.mkdir()
    for name in [*names, b"spaces.jpg", b".png", b"notes.txt"]:
        (folder / os.fsdecode(name)).write_bytes(good.read_bytes())
    (folder / "sub.png").mkdir()
    result = prepare(tmp_path, images=["images"])
    assert set(result.unlabelled["id_str"]) == {"spaces", "=1+1"}
    for path in result.unlabelled["file_loc"]:
        assert load_image(path, size_px=8).shape == (8, 8, 3)
    assert result.reason("two\nlines").startswith("id_str: found 'two\\nlines'")
    assert "a file called b'caf\\xe9.png', expected UTF-8" in result.reason("caf\ufffd")
    assert result.reason("") == "id_str: empty, expected a text"
    assert "stands already" in result.reason("spaces")
    assert "path is a folder" in result.reason("sub")
    assert len(result) == len(names) + 2


@pytest.mark.parametrize(("n_bad", "stops"), [(0, False), (2, False), (3, True)])
def test_too_many_rejected_rows_stop(tmp_path, n_bad, stops):
    """Above the share that the setting allows; the list stays, and says why."""
    draw_images(tmp_path, ["a.png"])
    bad = [[f"bad {i}", "gone.png"] for i in range(n_bad)]
    good = [[f"good {i}", "a.png"] for i in range(20 - n_bad)]
    write_csv(tmp_path / "u.csv", [*bad, *good], columns=COLUMNS[:2])
    listed = tmp_path / "out" / "rejected_by_failed_run.csv"
    if not stops:
        result = prepare(tmp_path, unlabelled=["u.csv"], rejected_share_max=0.1)
        assert len(result.rejected) == n_bad
        assert not listed.exists()
        return
    with pytest.raises(ValueError, match="rejected_share_max: 3 of 20 rows") as error:
        prepare(tmp_path, unlabelled=["u.csv"], rejected_share_max=0.1)
    for text in ("15.0%", "at most 10.0%", "file does not exist: 3", str(listed)):
        assert text in str(error.value)
    assert [path.name for path in listed.parent.iterdir()] == [listed.name]
    assert list(pd.read_csv(listed)["id_str"]) == [f"bad {i}" for i in range(3)]
    result = prepare(tmp_path, unlabelled=["u.csv"], rejected_share_max=0.15)
    assert len(result.rejected) == 3
    assert not listed.exists()
