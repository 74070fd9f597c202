"""Addresses in the settings: where their copies are, and what is no address."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.api import StorageSettings
from snakemake.io import ancient
from snakemake.storage import StorageRegistry

from rules import remote_files
from zoobot.configuration import Settings, read_settings

ROOT = Path(__file__).parents[2]
FILES = {
    ("prepare_catalog", "labelled_catalogs"),
    ("prepare_catalog", "unlabelled_catalogs"),
    ("prepare_ring_catalog", "catalogs"),
    ("unpack_images", "archives"),
}


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)


def settings_with(data_folder: str = ".", **sections: dict) -> Settings:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["data_folder"] = data_folder
    for section, changes in sections.items():
        config[section] |= changes
    return read_settings(config)


def test_settings_without_an_address_stay_as_they_are():
    settings = settings_with(data_folder="/data")
    assert remote_files.with_local_copies(settings) == (settings, {})


@pytest.mark.parametrize(("section", "field"), sorted(FILES))
def test_every_setting_of_files_takes_addresses(section: str, field: str):
    address = "https://zenodo.org/records/1/files/a%20b.csv?download=1"
    settings = settings_with(**{section: {field: ["mine.csv", address]}})
    local, remotes = remote_files.with_local_copies(settings)
    copy = "results/fetched/zenodo.org/records/1/files/a_b.csv"
    assert getattr(getattr(local, section), field) == ["mine.csv", copy]
    (remote,) = remotes.values()
    assert (remote.address, remote.path) == (address, copy)
    assert remote.setting == f"{section}.{field}"


def test_a_list_of_files_may_be_elsewhere():
    catalog = {"preset": "none", "file_loc_table": "s3://bucket/files.parquet"}
    local, _ = remote_files.with_local_copies(settings_with(prepare_catalog=catalog))
    assert (
        local.prepare_catalog.file_loc_table == "results/fetched/bucket/files.parquet"
    )


@pytest.mark.parametrize("data_folder", [".", "./", "survey", "/data"])
def test_rules_and_programs_find_the_same_copy(tmp_path: Path, data_folder: str):
    """Rules call it by its path in the run; programs join theirs to the data folder."""
    catalog = {"labelled_catalogs": ["http://host/a.csv", "b.csv"]}
    settings = settings_with(data_folder, prepare_catalog=catalog)
    local, _ = remote_files.with_local_copies(settings)
    tables = local.prepare_catalog.labelled_catalogs
    ruled = remote_files.local_paths(tables, data_folder=data_folder)
    assert ruled[0] == "results/fetched/host/a.csv"
    joined = [Path(data_folder, table).absolute() for table in tables]
    assert joined == [tmp_path / path for path in ruled]
    assert joined[1] == tmp_path / data_folder / "b.csv"


def test_folders_are_inside_the_archives(tmp_path: Path):
    folders = {"file_loc_folder": "dr5", "image_folders": [".", "/data/more"]}
    for data_folder, start in ((".", ""), ("/data", f"{tmp_path}/")):
        settings = settings_with(
            data_folder,
            prepare_catalog=folders,
            unpack_images={"archives": ["a.zip"]},
        )
        local, _ = remote_files.with_local_copies(settings)
        assert local.prepare_catalog.file_loc_folder == f"{start}results/images/dr5"
        found = local.prepare_catalog.image_folders
        assert found == [f"{start}results/images", "/data/more"]


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        (
            {"prepare_catalog": {"image_folders": ["https://host/images"]}},
            "prepare_catalog.image_folders: found https://host/images, expected a "
            "folder of this machine.*unpack_images.archives",
        ),
        (
            {"prepare_catalog": {"file_loc_folder": "s3://bucket/images"}},
            "prepare_catalog.file_loc_folder: found s3://bucket/images",
        ),
        ({"data_folder": "https://host/data"}, "data_folder: found https://host/data"),
        (
            {"unpack_images": {"archives": ["https://host"]}},
            "unpack_images.archives: found https://host, expected the address of a",
        ),
        (
            {"unpack_images": {"archives": ["https://[host/a.zip"]}},
            r"unpack_images.archives: found https://\[host/a.zip, expected the address",
        ),
        (
            {"unpack_images": {"archives": ["https://host/a/../../b.zip"]}},
            "unpack_images.archives: found https://host/a/../../b.zip",
        ),
        (
            {"unpack_images": {"archives": ["https://host/a/%2e%2e/b.zip"]}},
            "unpack_images.archives: found https://host/a/%2e%2e/b.zip",
        ),
        (
            {"unpack_images": {"archives": ["https://h/a.zip", "https://h/a.zip?v=2"]}},
            r"found https://h/a.zip\?v=2, whose copy.*as that of https://h/a.zip,",
        ),
    ],
)
def test_what_is_no_address_of_a_file_is_an_error(sections: dict, expected: str):
    data_folder = sections.pop("data_folder", ".")
    settings = settings_with(data_folder, **sections)
    with pytest.raises(ValueError, match=expected):
        remote_files.with_local_copies(settings)


def test_names_are_neither_wildcards_nor_secrets():
    address = "https://me:secret@host:80/{a}/b c'$(d).csv"
    settings = settings_with(prepare_catalog={"labelled_catalogs": [address]})
    _, remotes = remote_files.with_local_copies(settings)
    assert list(remotes) == ["host_80/_a_/b_c___d_.csv"]


def test_what_was_fetched_is_not_fetched_again(tmp_path: Path):
    tables = ["http://host/a.csv", "http://host/b.csv"]
    settings = settings_with(prepare_catalog={"labelled_catalogs": tables})
    _, remotes = remote_files.with_local_copies(settings)

    def made(*, all_of_them: bool = False) -> set[str]:
        pattern = remote_files.one_of(remotes, all_of_them=all_of_them)
        return {name for name in (*remotes, "other") if re.fullmatch(pattern, name)}

    assert made() == set(remotes)
    for name in remotes:
        path = tmp_path / "results/fetched" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    assert made() == set()
    path.unlink()
    assert made() == {"host/b.csv"}
    assert made(all_of_them=True) == set(remotes)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:9/a.csv", r"which cannot be reached \(ConnectionError"),
        ("gopher://host/a.csv", "no storage plugin here can read.*-plugin-gopher"),
    ],
)
def test_an_address_of_no_use_is_an_error(
    monkeypatch: pytest.MonkeyPatch, address: str, expected: str
):
    """Asked by the engine's own storage plugins."""
    monkeypatch.setattr(remote_files, "_SECONDS_BETWEEN", 0.0)
    engine = SimpleNamespace(
        storage_settings=StorageSettings(), storage_provider_settings={}
    )
    remote = remote_files.Remote("prepare_catalog.labelled_catalogs", address, "a.csv")
    of_name = remote_files.from_storage(
        {"a.csv": remote}, storage=StorageRegistry(engine), ancient=ancient
    )
    with pytest.raises(ValueError, match=expected) as error:
        of_name(SimpleNamespace(name="a.csv"))
    assert str(error.value).startswith(f"{remote.setting}: found {address}, ")


def test_results_stay_in_one_file_system():
    remote_files.check_storage(None)
    with pytest.raises(ValueError, match="default-storage-provider: found s3"):
        remote_files.check_storage("s3")
