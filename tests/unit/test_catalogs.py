"""Catalogues: every row comes out once, and what is wrong with a bad one is said."""

import hashlib
import shlex

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.catalogs import (
    COLUMNS,
    GALAXY,
    SCHEMA,
    catalog_settings,
    draw_images,
    prepare,
    write_csv,
)
from workflow_scripts import prepare_catalog as script
from zoobot import command_line
from zoobot.data_utils import (
    catalogs,
    image_folders,
    rendered_images,
)
from zoobot.data_utils.fits_images import DEFAULT_RENDERING
from zoobot.tables import csv_tables, malformed_rows, parquet_pieces, table_writers
from zoobot.tables.columns import as_flags, as_fractions, as_votes
from zoobot.tables.read_tables import first_rows, most_common, read_table


def test_good_rows_are_unchanged(tmp_path):
    """Ids keep zeros and all digits; paths become absolute; votes are whole numbers."""
    draw_images(tmp_path / "survey" / "images", ["a.png", "b.png"])
    rows = [
        ["007", "images/a.png", 1, 2, 2, 0],
        ["587722981742084144", str(tmp_path / "survey/images/b.png"), "3", "4.0", 1, 3],
    ]
    write_csv(tmp_path / "survey" / "labelled.csv", rows)
    result = prepare(tmp_path, labelled=["survey/labelled.csv"])
    assert list(result.labelled.columns) == GALAXY + SCHEMA.label_cols
    assert list(result.labelled["id_str"]) == ["007", "587722981742084144"]
    images = tmp_path / "survey" / "images"
    assert list(result.labelled["file_loc"]) == [
        str(images / "a.png"),
        str(images / "b.png"),
    ]
    votes = result.labelled[SCHEMA.label_cols]
    assert set(votes.dtypes) == {np.dtype("int64")}
    np.testing.assert_array_equal(votes, [[1, 2, 2, 0], [3, 4, 1, 3]])
    assert list(result.unlabelled.columns) == GALAXY
    assert len(result.unlabelled) == len(result.rejected) == 0


def test_digests_tell_images_apart_by_their_content(tmp_path):
    """Of good rows only, in their order; a touched file keeps its digest."""
    draw_images(tmp_path, ["a.png", "b.png", "c.png"])
    (tmp_path / "b.png").write_text("no image")
    rows = [["a", "a.png", 1, 0, 0, 0], ["b", "b.png", 1, 0, 0, 0]]
    write_csv(tmp_path / "l.csv", [*rows, ["c", "c.png", 1, 0, 0, 0]])
    first = prepare(tmp_path, labelled=["l.csv"]).labelled
    expected = [
        hashlib.blake2b((tmp_path / name).read_bytes(), digest_size=16).hexdigest()
        for name in ("a.png", "c.png")
    ]
    assert list(first["image_digest"]) == expected
    (tmp_path / "a.png").touch()
    touched = prepare(tmp_path, labelled=["l.csv"]).labelled
    pd.testing.assert_frame_equal(touched, first)
    replaced = 255 - np.asarray(Image.open(tmp_path / "c.png"))
    Image.fromarray(replaced).save(tmp_path / "c.png")
    after = prepare(tmp_path, labelled=["l.csv"]).labelled
    changed = after["image_digest"] != first["image_digest"]
    assert list(after["id_str"][changed]) == ["c"]


def test_parquet_ids_may_be_whole_numbers(tmp_path):
    """An id of 18 digits, stored as int64, keeps every digit."""
    draw_images(tmp_path, ["a.png"])
    columns = {"id_str": [587722981742084145], "file_loc": ["a.png"]}
    table = pa.table(columns | {name: [1] for name in SCHEMA.label_cols})
    pq.write_table(table, tmp_path / "labelled.parquet")
    result = prepare(tmp_path, labelled=["labelled.parquet"])
    assert list(result.labelled["id_str"]) == ["587722981742084145"]


def test_parquet_ids_must_not_be_floats(tmp_path):
    """A float has lost digits of an id already."""
    table = pa.table({"id_str": [5.5e17], "file_loc": ["a.png"]})
    pq.write_table(table, tmp_path / "u.parquet")
    with pytest.raises(
        ValueError, match=r"u\.parquet: column id_str: found type double"
    ):
        prepare(tmp_path, unlabelled=["u.parquet"])


def test_every_dirty_row_has_its_reason(tmp_path):
    """Of each kind of bad row one: the reason names column and value."""
    draw_images(tmp_path, ["a.png"])
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:43])
    good = ["a.png", 1, 1, 1, 0]
    rows = [
        ["good", *good],
        ["", *good],
        ["good", *good],
        ["bell\a", *good],
        ["nowhere", "", 1, 1, 1, 0],
        ["negative", "a.png", -3, 1, 1, 0],
        ["half", "a.png", 1, 2.5, 1, 0],
        ["nan", "a.png", 1, 1, "nan", 0],
        ["none", "a.png", 1, 1, 1, ""],
        ["text", "a.png", "many", 1, 1, 0],
        ["exponent", "a.png", "1e3", 1, 1, 0],
        ["huge", "a.png", 10**8, 1, 1, 0],
        ["beyond", "a.png", 10**30, 1, 1, 0],
        ["missing", "b.png", 1, 1, 1, 0],
        ["cut", "cut.png", 1, 1, 1, 0],
        ["long", *good, 7, 8],
        ["short", "a.png", 1],
        ["unvoted", "a.png", 0, 0, 0, 0],
    ]
    write_csv(tmp_path / "labelled.csv", rows)
    result = prepare(tmp_path, labelled=["labelled.csv"])
    assert len(result) == len(rows)
    assert list(result.labelled["id_str"]) == ["good"]
    assert list(result.unlabelled["id_str"]) == ["unvoted"]
    assert result.reason("") == "id_str: empty, expected a text"
    assert "'good' stands already in" in result.reason("good")
    assert result.reason("bell\a").startswith("id_str: found 'bell\\x07'")
    assert result.reason("nowhere").startswith("file_loc: empty")
    expected = ", expected a whole number of votes from 0 to 16777216"
    for id_str, found in {
        "negative": "shape_round: found '-3'",
        "half": "shape_flat: found '2.5'",
        "nan": "arms_yes: found 'nan'",
        "none": "arms_no: found no value",
        "text": "shape_round: found 'many'",
        "exponent": "shape_round: found '1e3'",
        "huge": "shape_round: found '100000000'",
        "beyond": f"shape_round: found '{10**30}'",
    }.items():
        assert result.reason(id_str) == found + expected
    assert result.reason("missing") == "file_loc: file does not exist"
    assert "does not decode completely" in result.reason("cut")
    assert "line 17: found 8 fields, expected 6" in result.reason("long")
    assert "line 18: found 3 fields, expected 6" in result.reason("short")
    paths = result.rejected.set_index("id_str")["file_loc"]
    assert paths["missing"] == str(tmp_path / "b.png")
    assert paths["nowhere"] == ""


def test_many_dirty_rows_add_up(tmp_path):
    """Thousands of rows, some bad at random: rows in = rows out, and the right ones."""
    rng = np.random.default_rng(3)
    names = [f"{i}.png" for i in range(40)]
    draw_images(tmp_path / "images", names)
    n = 3000
    file_loc = rng.choice([*(f"images/{name}" for name in names), "gone.png"], n)
    votes = rng.integers(-1, 6, (n, 4))
    ids = rng.integers(0, 2500, n)
    rows = [
        [i, loc, *v] for i, loc, v in zip(ids, file_loc, votes.tolist(), strict=True)
    ]
    write_csv(tmp_path / "labelled.csv", rows)
    result = prepare(tmp_path, labelled=["labelled.csv"])
    first = ~pd.Series(ids).duplicated().to_numpy()
    good = first & (votes >= 0).all(axis=1) & (file_loc != "gone.png")
    voted = good & (votes > 0).any(axis=1)
    assert list(result.labelled["id_str"]) == [str(i) for i in ids[voted]]
    np.testing.assert_array_equal(result.labelled[SCHEMA.label_cols], votes[voted])
    assert list(result.unlabelled["id_str"]) == [str(i) for i in ids[good & ~voted]]
    assert len(result) == n
    assert (result.rejected["reason"] != "").all()


def test_every_image_is_checked(tmp_path):
    """No image escapes the check where one batch ends and the next begins."""
    rows = [[str(i), f"{i}.png"] for i in range(2500)]
    draw_images(tmp_path, ["good.png"])
    rows.append(["good", "good.png"])
    write_csv(tmp_path / "u.csv", rows, columns=COLUMNS[:2])
    result = prepare(tmp_path, unlabelled=["u.csv"])
    assert list(result.unlabelled["id_str"]) == ["good"]
    assert set(result.rejected["reason"]) == {"file_loc: file does not exist"}


def test_the_first_of_several_sources_wins(tmp_path):
    """Ids repeat across tables and folders: labelled tables come first."""
    draw_images(tmp_path / "folder", ["a.png", "b.jpg", "C.PNG"])
    (tmp_path / "folder" / "notes.txt").write_text("no image")
    write_csv(tmp_path / "l.csv", [["a", "folder/a.png", 1, 0, 0, 0]])
    (tmp_path / "other").mkdir()
    rows = [["a", "x.png"], ["b", "../folder/b.jpg"]]
    write_csv(tmp_path / "other" / "u.csv", rows, columns=COLUMNS[:2])
    sources = {"unlabelled": ["other/u.csv"], "images": ["folder"]}
    result = prepare(tmp_path, labelled=["l.csv"], **sources)
    assert list(result.labelled["id_str"]) == ["a"]
    assert list(result.unlabelled["id_str"]) == ["b", "C"]
    assert result.unlabelled["file_loc"][0] == str(tmp_path / "folder" / "b.jpg")
    assert sorted(result.rejected["id_str"]) == ["a", "a", "b"]
    assert result.rejected["reason"].str.contains("stands already in").all()


def test_a_header_alone_is_an_empty_table(tmp_path):
    """A survey may have no unlabelled galaxies: a header, with or without line end."""
    draw_images(tmp_path, ["a.png"])
    write_csv(tmp_path / "l.csv", [["a", "a.png", 1, 0, 0, 0]])
    for text in ("id_str,file_loc", "id_str,file_loc\n"):
        (tmp_path / "u.csv").write_text(text)
        result = prepare(tmp_path, labelled=["l.csv"], unlabelled=["u.csv"])
        assert len(result) == 1


def test_threads_change_nothing(tmp_path):
    """One thread and several give the same files."""
    draw_images(tmp_path, ["a.png", "b.png"])
    rows = [["a", "a.png"], ["x", "x.png"], ["b", "b.png"], ["y", "y.png"]]
    write_csv(tmp_path / "u.csv", rows, columns=COLUMNS[:2])
    one = prepare(tmp_path, unlabelled=["u.csv"], threads=1)
    several = prepare(tmp_path, unlabelled=["u.csv"], threads=4)
    pd.testing.assert_frame_equal(one.unlabelled, several.unlabelled)
    pd.testing.assert_frame_equal(one.rejected, several.rejected)


def test_missing_columns_name_similar_ones(tmp_path):
    """The error has the file, what is missing, what was found and a guess."""
    columns = ["id_str", "file_location", *SCHEMA.label_cols[:3], "ARMS_NO"]
    write_csv(tmp_path / "l.csv", [["a", "a.png", 1, 0, 0, 0]], columns=columns)
    with pytest.raises(ValueError, match=r"l\.csv: columns missing: ") as error:
        prepare(tmp_path, labelled=["l.csv"])
    message = str(error.value)
    assert "missing: file_loc, arms_no; found id_str, file_location" in message
    assert "file_loc: is it 'file_location'?" in message
    assert "arms_no: is it 'ARMS_NO'?" in message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("u.txt", b"x", "ends in .csv, .csv.gz"),
        ("u.parquet", b"PAR1 not really", "expected a complete parquet table"),
        ("u.csv", "id_str,file_loc\n1,a.png\n".encode("utf-16"), "UTF-16, expected"),
        ("u.csv", b"id_str,id_str,file_loc\n1,2,a.png\n", "columns repeat: id_str"),
        ("u.csv", b'id_str,file_loc\n1,a.png\n"2,b.png\n3,c.png\n', "line 3: .*quote"),
        ("u.csv", b"", "columns missing: id_str, file_loc"),
    ],
)
def test_damaged_tables_are_named(tmp_path, name, content, message):
    """A table that cannot be read is an error, as its rows cannot be counted."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        prepare(tmp_path, unlabelled=[name])
    assert name in str(error.value)


def test_missing_tables_and_folders_are_named(tmp_path):
    """What does not exist is named, as is a folder without images."""
    with pytest.raises(ValueError, match=r"nope\.csv: .*found no such file"):
        prepare(tmp_path, unlabelled=["nope.csv"])
    with pytest.raises(ValueError, match=r"nope: expected a folder of png, jpg"):
        prepare(tmp_path, images=["nope"])
    (tmp_path / "bare").mkdir()
    with pytest.raises(ValueError, match=r"bare: expected png, jpg or FITS files"):
        prepare(tmp_path, images=["bare"])


def test_no_galaxy_left(tmp_path):
    """If all rows are bad, the error says how many and the most common reasons."""
    rows = [["a", "a.png"], ["b", "b.png"], ["b", "b.png"]]
    write_csv(tmp_path / "u.csv", rows, columns=COLUMNS[:2])
    with pytest.raises(
        ValueError, match="no galaxy left: all 3 rows rejected"
    ) as error:
        prepare(tmp_path, unlabelled=["u.csv"])
    assert "file does not exist: 2; id_str repeats: 1" in str(error.value)


def test_script_takes_a_tree_of_your_own(tmp_path):
    """The program reads a YAML tree and calls the library."""
    draw_images(tmp_path, ["a.png"])
    columns = [*COLUMNS[:-1], "n="]
    write_csv(tmp_path / "l.csv", [["a", "a.png", 1, 0, 0, 0]], columns=columns)
    (tmp_path / "tree.yaml").write_text(
        "questions: {shape: {answers: [round, flat]}, "
        "arms: {answers: [yes, no], asked_after: [shape_flat]}}"
    )
    options = f"--schema {tmp_path}/tree.yaml --data-folder {tmp_path} --threads 1"
    files = [f"--{name} {tmp_path}/{name}" for name in ("labelled", "unlabelled")]
    settings = catalog_settings(labelled_catalogs=["l.csv"], columns={"arms_no": "n="})
    tables = shlex.split(command_line.option_string(settings))
    rejected = f"--rejected {tmp_path}/rejected.csv"
    drawn = shlex.split(command_line.option_string(DEFAULT_RENDERING))
    words = f"{options} {' '.join(files)} {rejected}".split()
    script.main([*words, *tables, *drawn])
    assert len(pd.read_parquet(tmp_path / "labelled")) == 1


VALUES = {
    "text": pa.array(["0", "+7", " 12 ", "5.00", "007", "0" * 30 + "3", "-0"]),
    "int8": pa.array([0, 7, None, -1], pa.int8()),
    "uint64": pa.array([0, 2**24, 2**24 + 1, 2**64 - 1], pa.uint64()),
    "float": pa.array([0.0, 3.0, 2.5, np.nan, np.inf, -np.inf, None]),
    "categorical": pa.array(["1", "x"]).dictionary_encode(),
    "bool": pa.array([True, False]),
}
VOTES = {
    "text": [0, 7, 12, 5, 7, 3, None],
    "int8": [0, 7, None, None],
    "uint64": [0, 2**24, None, None],
    "float": [0, 3, None, None, None, None, None],
    "categorical": [1, None],
    "bool": [None, None],
}


@pytest.mark.parametrize("kind", VALUES)
def test_votes_of_each_type(kind):
    """Whole numbers of any type are read exactly; all else has a reason."""
    votes, reasons = as_votes(pa.chunked_array([VALUES[kind]]), "x")
    assert [None if r else v for v, r in zip(votes, reasons, strict=True)] == VOTES[
        kind
    ]
    assert all(r.startswith("x: found ") for r in reasons if r)


def test_fractions():
    """Numbers from 0 to 1; outside, or no number, is NaN with a reason."""
    text = pa.chunked_array([["0", "1.0", "2e-1", "", "nan", "1.01", "-0.1", "x"]])
    values, reasons = as_fractions(text, "f")
    np.testing.assert_array_equal(values, [0, 1, 0.2] + [np.nan] * 5)
    assert list(reasons != "") == [False] * 3 + [True] * 5
    numbers = pa.chunked_array([pa.array([0.25, None, np.nan, 2.0])])
    np.testing.assert_array_equal(as_fractions(numbers, "f")[0], [0.25] + [np.nan] * 3)


def test_flags():
    """0 and 1 in any spelling; all else has a reason."""
    text = pa.chunked_array([["0", "1", "True", "false", "1.0", "2", "", "yes"]])
    values, reasons = as_flags(text, "ring")
    np.testing.assert_array_equal(values[:5], [0, 1, 1, 0, 1])
    assert list(reasons != "") == [False] * 5 + [True] * 3
    booleans = pa.chunked_array([pa.array([True, False, None])])
    values, reasons = as_flags(booleans, "ring")
    assert list(values[:2]) == [1, 0]
    assert reasons[2] == "ring: found no value, expected 0 or 1"


def test_first_rows_and_most_common():
    """Small cases by hand."""
    np.testing.assert_array_equal(
        first_rows(pd.Series(["b", "a", "b", "a", "c"])), [0, 1, 0, 1, 4]
    )
    assert len(first_rows(pd.Series([], dtype="str"))) == 0
    assert most_common(["x", "y", "x", "z"], n=1) == "x: 2; 2 other kinds"


def test_csv_columns_are_found_by_name(tmp_path):
    """Order, quotes, a byte order mark and columns between do not matter."""
    text = '\ufeff"note","file_loc","id_str"\r\n"a, b",x.png, 01 \r\n'
    (tmp_path / "t.csv").write_text(text, encoding="utf-8", newline="")
    table = read_table(tmp_path / "t.csv", columns=["id_str", "file_loc"])
    assert table.columns.to_pydict() == {"id_str": [" 01 "], "file_loc": ["x.png"]}


def dirty_sources(folder):
    """Write two labelled tables, one without votes, and a folder, all with bad rows."""
    rng = np.random.default_rng(5)
    names = [f"{i}.png" for i in range(12)]
    draw_images(folder / "images", names)
    files = [f"images/{name}" for name in names] + ["gone.png", ""]
    for name, n_votes in (("a.csv", 4), ("b.csv", 4), ("u.csv", 0)):
        rows = []
        for _ in range(40):
            galaxy = "" if rng.random() < 0.05 else f"g{rng.integers(60)}"
            votes = rng.integers(-1, 9, n_votes) * (rng.random() < 0.8)
            rows.append([galaxy, rng.choice(files), *votes])
            if rng.random() < 0.2:
                rows[-1] = rows[-1][:1]  # too few fields
        write_csv(folder / name, rows, columns=COLUMNS[: 2 + n_votes])
    frame = pd.read_csv(folder / "u.csv", dtype=str, on_bad_lines="skip")
    frame.fillna("").to_parquet(folder / "u.parquet")
    draw_images(folder / "folder", ["g1.png", "h1.png", "h2.jpg", "h3.jpeg", "h1.jpg"])
    return {
        "labelled": ["a.csv", "b.csv"],
        "unlabelled": ["u.csv", "u.parquet"],
        "images": ["folder"],
    }


def test_blocks_change_nothing(tmp_path, monkeypatch):
    """Whether three rows are read at a time or all of them, the files are the same."""
    sources = dirty_sources(tmp_path)
    whole = prepare(tmp_path, **sources)
    for module in (csv_tables, parquet_pieces, malformed_rows):
        monkeypatch.setattr(module, "_ROWS", 3)
    monkeypatch.setattr(image_folders, "_FILES_AT_A_TIME", 3)
    monkeypatch.setattr(catalogs, "_IMAGES_IN_TASK", 2)
    monkeypatch.setattr(table_writers, "_ROWS_IN_GROUP", 7)
    blocks = prepare(tmp_path, **sources)
    for name in ("labelled", "unlabelled", "rejected"):
        one, other = getattr(whole, name), getattr(blocks, name)
        assert len(one) > 3
        pd.testing.assert_frame_equal(one, other)


def test_the_first_row_with_an_id_counts_even_if_it_is_bad(tmp_path, monkeypatch):
    """A later row repeats it, in another block and in another source."""
    for module in (csv_tables, parquet_pieces):
        monkeypatch.setattr(module, "_ROWS", 2)
    draw_images(tmp_path, ["a.png"])
    rows = [["votes", "a.png", -1, 0, 0, 0], ["image", "gone.png", 1, 0, 0, 0]]
    rows += [["good", "a.png", 1, 0, 0, 0]] * 3
    rows += [["short", "a.png"], ["votes", "a.png", 1, 0, 0, 0]]
    rows += [["short", "a.png", 1, 0, 0, 0]]
    write_csv(tmp_path / "l.csv", rows)
    pd.DataFrame(
        {"id_str": ["image", "new", "votes", "new"], "file_loc": "a.png"}
    ).to_parquet(tmp_path / "u.parquet")
    result = prepare(tmp_path, labelled=["l.csv"], unlabelled=["u.parquet"])
    # Malformed rows come behind all others of their table.
    assert list(result.labelled["id_str"]) == ["good", "short"]
    assert list(result.unlabelled["id_str"]) == ["new"]
    expected = [
        ("votes", "shape_round: found"),
        ("image", "file_loc: file does not exist"),
        ("good", f"id_str: 'good' stands already in {tmp_path / 'l.csv'}"),
        ("good", f"id_str: 'good' stands already in {tmp_path / 'l.csv'}"),
        ("votes", f"id_str: 'votes' stands already in {tmp_path / 'l.csv'}"),
        ("short", f"{tmp_path / 'l.csv'}: line 7: found 2 fields"),
        ("image", f"id_str: 'image' stands already in {tmp_path / 'l.csv'}"),
        ("votes", f"id_str: 'votes' stands already in {tmp_path / 'l.csv'}"),
        ("new", f"id_str: 'new' stands already in {tmp_path / 'u.parquet'}"),
    ]
    assert len(result.rejected) == len(expected)
    for found, (galaxy, start) in zip(
        result.rejected.itertuples(), expected, strict=True
    ):
        assert found.id_str == galaxy
        assert found.reason.startswith(start)


def test_a_damaged_table_stops_the_stage_before_any_image(tmp_path, monkeypatch):
    """The last row of the last table is found bad first; nothing is left."""

    def no_image(path):
        raise AssertionError(f"{path}: decoded before the tables were read")

    monkeypatch.setattr(rendered_images, "check_and_digest", no_image)
    draw_images(tmp_path, ["a.png"])
    write_csv(tmp_path / "l.csv", [["a", "a.png", 1, 0, 0, 0]])
    rows = "".join(f"{i},a.png\n" for i in range(20_000))
    (tmp_path / "u.csv").write_text(f'id_str,file_loc\n{rows}"b,a.png\nc,a.png\n')
    with pytest.raises(ValueError, match=r"line 20002: .*quote"):
        prepare(tmp_path, labelled=["l.csv"], unlabelled=["u.csv"])
    assert not (tmp_path / "out").exists()
