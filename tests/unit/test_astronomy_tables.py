"""FITS tables and VOTables: what astropy's own readers find, and nothing hostile."""

import gzip

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.table import Column, MaskedColumn, Table

from tests.catalogs import SCHEMA, draw_images, prepare
from zoobot.tables import fits_pieces, votable_pieces
from zoobot.tables.read_tables import (
    as_ids,
    as_text,
    column_names,
    read_pieces,
    read_table,
)

N_ROWS = 5000  # in several pieces
COLUMNS = ["objid", "text", "label", "votes", "half", "ra", "flag"]


def survey_table(n=N_ROWS):
    """Ids of 19 digits, text and bytes, votes of which some are masked, floats."""
    rng = np.random.default_rng(8)
    ids = rng.integers(2**62, 2**63 - 1, n)
    floats = rng.normal(size=n)
    floats[3] = np.nan
    table = Table(
        {
            "objid": ids,
            "text": [f"g {i}" + "  " * (i % 2) for i in range(n)],
            "label": Column([f"images/{i}.png".encode() for i in range(n)]),
            "votes": MaskedColumn(
                rng.integers(0, 99, n).astype(np.int32), mask=np.arange(n) % 7 == 0
            ),
            "half": rng.integers(0, 99, n).astype(np.int16),
            "ra": floats,
            "flag": rng.random(n) < 0.5,
            "many": rng.random((n, 3)),
        }
    )
    table["votes"].fill_value = -9
    return table


def writers():
    """Every kind of file that these rows fit in."""
    return {
        "binary.fits": lambda table, path: table.write(path),
        "binary.FIT": lambda table, path: table.write(path, format="fits"),
        "zipped.fits.gz": lambda table, path: table.write(path),
        "rows.vot": lambda table, path: _vo(table, path, "tabledata"),
        "binary.votable": lambda table, path: _vo(table, path, "binary"),
        "binary2.xml": lambda table, path: _vo(table, path, "binary2"),
    }


def _vo(table, path, kind):
    if kind == "binary":  # which has no masks
        table["votes"] = table["votes"].filled()
    table.write(path, format="votable", tabledata_format=kind)


@pytest.mark.parametrize("name", writers())
def test_as_astropy_reads_them(tmp_path, name):
    """Every value of every type, some rows at a time, and again from the file."""
    path = tmp_path / name
    writers()[name](survey_table(), path)
    kind = "fits" if "fit" in name.lower() else "votable"
    expected = Table.read(path, format=kind)
    assert column_names(path) == expected.colnames
    pieces = list(read_pieces(path, columns=COLUMNS))
    assert len(pieces[0]) == 0
    assert max(map(len, pieces)) < N_ROWS
    table = read_table(path, columns=COLUMNS)
    assert not table.malformed
    for column in COLUMNS:
        found = table[column].to_pylist()
        mask = np.ma.getmaskarray(expected[column])
        if column == "ra":  # NaN may be a number, or a missing value.
            numbers = np.array(found, dtype=float)
            np.testing.assert_array_equal(numbers, np.ma.getdata(expected[column]))
            continue
        for row in range(N_ROWS):
            value = expected[column][row]
            value = value.decode() if isinstance(value, bytes) else value
            value = value.rstrip() if isinstance(value, str) else value
            assert found[row] is None if mask[row] else found[row] == value
    n_masked = 0 if name == "binary.votable" else -(-N_ROWS // 7)
    assert table["votes"].null_count == n_masked
    ids, reasons = as_ids(read_table(path, columns={"id_str": "objid"}))
    assert list(ids) == [str(one) for one in survey_table()["objid"]]
    assert not any(reasons)


def test_integers_of_all_kinds_keep_every_digit(tmp_path):
    """Unsigned ones of 64 bits are stored with an offset in FITS."""
    ids = np.array([0, 2**63, 2**64 - 1], dtype=np.uint64)
    table = Table({"u": ids, "i": np.array([-(2**63), 0, 2**63 - 1])})
    table.write(tmp_path / "t.fits")
    found = read_table(tmp_path / "t.fits", columns=["u", "i"])
    assert list(as_text(found, "u")) == [str(one) for one in ids.tolist()]
    assert list(as_text(found, "i")) == [str(-(2**63)), "0", str(2**63 - 1)]


def test_ascii_tables_of_fits(tmp_path):
    """Blank and null fields are missing, not zero."""
    columns = [
        fits.Column("id", "A6", array=["a", "b ", ""]),
        fits.Column("votes", "I5", null="-1", array=[3, -1, 7]),
        fits.Column("ra", "D23.16", array=[0.1, -1e-9, 359.75]),
    ]
    fits.TableHDU.from_columns(columns).writeto(tmp_path / "t.fits")
    raw = (tmp_path / "t.fits").read_bytes()
    rows = raw[-2880:].replace(b"    7", b"     ")
    (tmp_path / "t.fits").write_bytes(raw[:-2880] + rows)
    found = read_table(tmp_path / "t.fits", columns=["id", "votes", "ra"])
    assert found.columns.to_pydict() == {
        "id": ["a", "b", None],
        "votes": [3, None, None],
        "ra": [0.1, -1e-9, 359.75],
    }


def test_the_table_with_the_columns_is_read(tmp_path):
    """Not the image in front of it, nor the table of something else."""
    path = tmp_path / "t.fits"
    other, wanted = Table({"n": [1]}), Table({"id_str": ["a"], "file_loc": ["a.png"]})
    parts = [fits.PrimaryHDU(), fits.ImageHDU(np.zeros((3, 3))), fits.CompImageHDU()]
    parts += [fits.BinTableHDU(other), fits.BinTableHDU(wanted)]
    fits.HDUList(parts).writeto(path)
    assert read_table(path, columns=["id_str"])["id_str"].to_pylist() == ["a"]
    with pytest.raises(ValueError, match=r"t\.fits: columns missing: id; found n"):
        read_table(path, columns=["id"])
    fits.HDUList(parts[:3]).writeto(path, overwrite=True)
    with pytest.raises(ValueError, match=r"t\.fits: expected a FITS table, found none"):
        read_table(path, columns=["id"])


def test_bytes_that_are_no_text(tmp_path):
    """UTF-8 is read, though FITS has ASCII alone; else the row is malformed."""
    path = tmp_path / "t.fits"
    ids = np.array(["é".encode(), b"caf\xe9", b"x"], dtype="S8")
    fits.BinTableHDU.from_columns(
        [fits.Column("id_str", "8A", array=ids), fits.Column("n", "K", array=[1, 2, 3])]
    ).writeto(path)
    table = read_table(path, columns=["id_str", "n"])
    assert table.columns.to_pydict() == {"id_str": ["é", "x"], "n": [1, 3]}
    expected = [
        ({"id_str": "caf\ufffd", "n": "2"}, "found 'caf\ufffd', expected UTF-8")
    ]
    assert table.malformed == expected


def catalog_table(**changes):
    """Two galaxies, one of them without a vote."""
    columns = {"id_str": ["a", "b"], "file_loc": ["a.png", "b.png"]}
    votes = {name: [2, 0] for name in SCHEMA.label_cols}
    return Table(columns | votes | changes)


@pytest.mark.parametrize("suffix", ["fits", "fits.gz", "vot"])
def test_galaxies_of_all_kinds_of_tables(tmp_path, suffix):
    """Several catalogues of mixed formats at once; what is wrong is said as for csv."""
    draw_images(tmp_path, ["a.png", "b.png"])
    kind = "votable" if suffix == "vot" else "fits"
    votes = MaskedColumn([1, 1, 3], mask=[False, True, False])
    dirty = {"id_str": [7, 8, 9], "file_loc": ["a.png"] * 3}
    dirty |= {name: [1, 1, -3] for name in SCHEMA.label_cols} | {"arms_no": votes}
    catalog_table().write(tmp_path / f"one.{suffix}", format=kind)
    Table(dirty).write(tmp_path / f"two.{suffix}", format=kind)
    (tmp_path / "u.csv").write_text("id_str,file_loc\na,a.png\nc,a.png\n")
    result = prepare(
        tmp_path,
        labelled=[f"one.{suffix}", f"two.{suffix}"],
        unlabelled=["u.csv"],
    )
    assert list(result.labelled["id_str"]) == ["a", "7"]
    assert list(result.unlabelled["id_str"]) == ["b", "c"]
    assert result.reason("8").startswith("arms_no: found no value, expected a whole")
    assert result.reason("9").startswith("shape_round: found -3, expected a whole")
    assert "stands already in" in result.reason("a")


@pytest.mark.parametrize("kind", ["fits", "votable"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id_str": [1.0, 2.0]}, "column id_str: found type double, expected text or"),
        ({"file_loc": [[1, 2], [3, 4]]}, "column file_loc: found type list"),
        ({"id_str": [1j, 2j]}, "column id_str: found values of type "),
        ({"arms_no": [[1, 2], [3, 4]]}, r"arms_no: found \[1, 2\], expected a whole"),
        ({"arms_no": [0.5, 0.5]}, "arms_no: found 0.5, expected a whole"),
    ],
)
def test_columns_of_wrong_types(tmp_path, kind, changes, message):
    """Named as in any other table."""
    draw_images(tmp_path, ["a.png", "b.png"])
    name = f"t.{kind}"
    catalog_table(**changes).write(tmp_path / name, format=kind)
    with pytest.raises(ValueError, match=message):
        prepare(tmp_path, labelled=[name])


XML = (
    '<?xml version="1.0"?>\n{doctype}<VOTABLE version="1.3"><RESOURCE><TABLE {table}>\n'
)
XML += '<FIELD name="id_str" datatype="char" arraysize="{size}"/>\n'
XML += "<DATA>{data}</DATA></TABLE></RESOURCE></VOTABLE>"
ROW = "<TABLEDATA><TR><TD>{}</TD></TR></TABLEDATA>"


def vo_text(*, doctype="", table="", size="*", data=None):
    """A small VOTable, good as it is."""
    data = ROW.format("x") if data is None else data
    return XML.format(doctype=doctype, table=table, size=size, data=data)


BOMB = '<!DOCTYPE VOTABLE [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>\n'
HOSTILE = {
    "entities in entities": (
        vo_text(doctype=BOMB, data=ROW.format("&b;")),
        "found an XML entity, 'a', expected a VOTable, which needs none",
    ),
    "a file of this machine": (
        vo_text(
            doctype='<!DOCTYPE VOTABLE [<!ENTITY f SYSTEM "file:///etc/passwd">]>',
            data=ROW.format("&f;"),
        ),
        "found an XML entity, 'f'",
    ),
    "entities of a parameter": (
        vo_text(doctype='<!DOCTYPE V [<!ENTITY % p SYSTEM "http://x.invalid"> %p;]>'),
        "found an XML entity, 'p'",
    ),
    "rows that are elsewhere": (
        vo_text(data='<BINARY><STREAM href="file:///etc/passwd"/></BINARY>'),
        "found rows that are elsewhere, 'file:///etc/passwd', expected them in the",
    ),
    "rows in another FITS file": (
        vo_text(data='<FITS><STREAM href="http://x.invalid/t.fits"/></FITS>'),
        "found rows that are elsewhere",
    ),
    "more rows than bytes": (
        vo_text(table='nrows="99999999999"'),
        "found 99999999999 rows, expected no more than the file has bytes",
    ),
    "rows without end": (vo_text(table='nrows="' + "9" * 5000 + '"'), "found 9999"),
    "wide values": (vo_text(size="9999999999"), "found 9999999999 values in a row"),
    "another kind of XML": ("<html><p>404</p></html>", "another kind, 'html'"),
    "no table": ("<VOTABLE/>", "expected a VOTable, found no table with columns"),
    "no XML": ("id_str,file_loc\n", "expected a complete VOTable; syntax error"),
    "nothing": ("", "expected a complete VOTable; no element found"),
    "cut short": (vo_text()[:-20], "expected a complete VOTable"),
    "another encoding": (vo_text(doctype=BOMB).encode("utf-16"), "found an XML entity"),
    "no encoding": (
        vo_text().replace("?>", ' encoding="PQJ-8"?>'),
        "expected a complete VOTable; unknown encoding: PQJ-8",
    ),
    "an encoding of several bytes": (
        vo_text().replace("?>", ' encoding="utf-7"?>'),
        "expected a complete VOTable; ",
    ),
    "another column": (vo_text().replace("id_str", "ID"), "columns missing: id_str"),
    "a type that is none": (
        vo_text().replace('"char"', '"pickle"'),
        "expected a complete VOTable; .*pickle",
    ),
    "text for a number": (
        vo_text(size="1").replace('"char" arraysize="1"', '"long"'),
        "expected a complete VOTable",
    ),
}


def test_a_small_votable(tmp_path):
    """That what is made hostile below is fine without; an old DOCTYPE, too."""
    old = '<!DOCTYPE VOTABLE SYSTEM "http://x.invalid/VOTable.dtd">\n'
    for doctype in ("", old):
        (tmp_path / "t.vot").write_text(vo_text(doctype=doctype))
        table = read_table(tmp_path / "t.vot", columns=["id_str"])
        assert table["id_str"].to_pylist() == ["x"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_votable(tmp_path, monkeypatch, name):
    """Nothing is expanded, opened or asked for; the error names the file."""
    content, message = HOSTILE[name]
    path = tmp_path / "t.xml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def nothing(*_, **__):
        raise AssertionError("asked for an address")

    monkeypatch.setattr("urllib.request.urlopen", nothing)
    with pytest.raises(ValueError, match=message) as error:
        read_table(path, columns=["id_str"])
    assert str(error.value).startswith(f"{path}: ")
    assert "root:" not in str(error.value)


def fits_bytes(tmp_path):
    """A FITS table of a few rows."""
    survey_table(n=40).write(tmp_path / "good.fits")
    return (tmp_path / "good.fits").read_bytes()


@pytest.mark.parametrize("cut", [0, 1, 80, 2880, 5000, 6000, 8000])
@pytest.mark.parametrize("suffix", ["fits", "fits.gz"])
def test_fits_tables_cut_short(tmp_path, cut, suffix):
    """No row is missing in silence."""
    content = fits_bytes(tmp_path)[:cut]
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(gzip.compress(content) if suffix == "fits.gz" else content)
    with pytest.raises(ValueError) as error:
        read_table(path, columns=COLUMNS)
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize("kind", ["fits", "votable", "csv.gz"])
def test_random_damage(tmp_path, kind):
    """Any changed bytes give the table, another table, or an error with its name."""
    rng = np.random.default_rng(11)
    path = tmp_path / f"t.{kind}"
    if kind == "csv.gz":
        text = "objid,text\n" + "".join(f"{i},g{i}\n" for i in range(300))
        path.write_bytes(gzip.compress(text.encode()))
    else:
        survey_table(n=40)[COLUMNS].write(path, format=kind)
    good = path.read_bytes()
    n_errors = 0
    for _ in range(150):
        damaged = bytearray(good)
        for place in rng.integers(0, len(good), rng.integers(1, 6)):
            damaged[place] = rng.choice([0, 32, 255, 34, 60, rng.integers(256)])
        if rng.random() < 0.2:
            damaged = damaged[: rng.integers(len(good))]
        path.write_bytes(damaged)
        try:
            table = read_table(path, columns=["objid", "text"])
            as_ids(table, "objid")
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")
            assert str(error).isprintable()
            n_errors += 1
        else:
            assert table.columns.column_names == ["objid", "text"]
    assert n_errors > 20


def test_fits_tables_are_read_some_rows_at_a_time(tmp_path, monkeypatch):
    """A table of 100 MB takes a few."""
    path = tmp_path / "large.fits"
    n = 50_000
    table = Table({"id_str": np.arange(n), "wide": np.zeros((n, 250))})
    table.write(path)
    del table
    sizes = []
    whole = fits_pieces.rows_of_arrays

    def watched(path, arrays):
        sizes.append(sum(array.nbytes for array in arrays.values()))
        return whole(path, arrays)

    monkeypatch.setattr(fits_pieces, "rows_of_arrays", watched)
    found = [pa.table(piece.columns) for piece in read_pieces(path, columns=["id_str"])]
    assert sum(map(len, found)) == n
    assert max(sizes) == fits_pieces._ROWS * 8
    assert votable_pieces._ROWS == fits_pieces._ROWS


def test_rows_that_take_no_space(tmp_path):
    """A header may claim a trillion of them."""
    path = tmp_path / "t.fits"
    Table({"id": ["x", "y"]}).write(path)
    content = path.read_bytes()
    for card, value in {b"NAXIS1  = ": 0, b"NAXIS2  = ": 10**12}.items():
        assert card in content
        start, _, end = content.partition(card)
        content = start + card + b"%20d" % value + end[20:]
    headers = content[:-2880]
    path.write_bytes(headers.replace(b"'1A ", b"'0A "))
    with pytest.raises(ValueError, match=r"t\.fits: .*found 1000000000000 rows of 0"):
        read_table(path, columns=["id"])


def test_columns_without_names(tmp_path):
    """FITS allows them; astropy reads no such table, and the error names it."""
    path = tmp_path / "t.fits"
    Table({"id": [1], "n": [2]}).write(path)
    content = path.read_bytes()
    card = b"TTYPE2  = 'n"
    assert card in content
    path.write_bytes(content.replace(card, b"COMMENT   'n"))
    assert column_names(path) == ["id", ""]
    for column, message in {"id": "a complete FITS table", "n": "id, n"}.items():
        with pytest.raises(ValueError, match=rf"t\.fits: .*expected {message}"):
            read_table(path, columns=["id", column])
