"""A small survey as others publish one: tables, images in archives, a web server."""

from __future__ import annotations

import contextlib
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import pandas as pd
import yaml
from PIL import Image

from zoobot.schemas import get_schema

N_LABELLED, N_UNLABELLED = 8, 4
FILES = ("labelled.csv", "unlabelled.parquet", "part1.zip", "part2.tar.gz")


def write_survey(folder: Path) -> Path:
    """Write `FILES`; images are in the archives, and in images/, too."""
    rng = np.random.default_rng(11)
    (folder / "images/dr5").mkdir(parents=True)
    ids = [f"J{i:04d}" for i in range(N_LABELLED + N_UNLABELLED)]
    table = pd.DataFrame({"id_str": ids, "file_loc": [f"dr5/{i}.png" for i in ids]})
    for path in table["file_loc"]:
        pixels = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / path)
    labelled = table[:N_LABELLED].copy()
    for column in get_schema("gz_decals").label_cols:
        labelled[column] = rng.integers(1, 9, N_LABELLED)
    labelled.to_csv(folder / "labelled.csv", index=False)
    table[N_LABELLED:].to_parquet(folder / "unlabelled.parquet", index=False)
    with zipfile.ZipFile(folder / "part1.zip", "w") as one:
        for path in table["file_loc"][:6]:
            one.write(folder / "images" / path, path)
    with tarfile.open(folder / "part2.tar.gz", "w:gz") as two:
        for path in table["file_loc"][6:]:
            two.add(folder / "images" / path, path)
    return folder


def write_settings(path: Path, start: str, **changes: dict) -> Path:
    """Settings of this survey, whose paths or addresses start with `start`."""
    labelled, unlabelled, *archives = (start + name for name in FILES)
    settings = {
        "prepare_catalog": {
            "labelled_catalogs": [labelled],
            "unlabelled_catalogs": [unlabelled],
        },
        "prepare_ring_catalog": {"catalogs": [labelled]},
        "unpack_images": {"archives": archives},
    }
    for section, values in changes.items():
        settings[section] |= values
    path.write_text(yaml.safe_dump(settings))
    return path


class Web(NamedTuple):
    """A web server."""

    address: str
    """What the addresses of its files start with."""
    asked: list[str]
    """What it was asked so far, as GET /a.csv."""


@contextlib.contextmanager
def web_server(folder: Path) -> Iterator[Web]:
    """Serve the files of a folder."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, code="-", size="-"):
            asked.append(f"{self.command} {self.path}")

        def log_message(self, format, *args):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    # No proxy of this machine, if it has one, knows the server.
    direct = mock.patch.dict(os.environ, no_proxy="127.0.0.1")
    direct.start()
    try:
        yield Web(f"http://127.0.0.1:{server.server_port}/", asked)
    finally:
        direct.stop()
        server.shutdown()
        thread.join()
        server.server_close()
