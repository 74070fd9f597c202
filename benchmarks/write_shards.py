"""How much of the time to write a shard is not decoding and resizing.

Writes shards of images of 424 pixels at 300 pixels, and beside it only opens, decodes
and resizes the same images with Pillow, in as many threads. The shard's own time holds
the vote table's reading, checksums, and waiting until the file is on the disk.

Run it from the project's folder: ``python -m benchmarks.write_shards``
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from PIL import Image

from benchmarks.galaxies import catalog_of
from benchmarks.side_by_side import HEADER, Row, ratio_row, seconds_of_rounds
from zoobot.data_utils.create_shards import write_shard
from zoobot.settings.catalog import WriteShards

__all__ = ["main", "measure"]

SIZE_PX = 300


def main(argv: Sequence[str] | None = None) -> None:
    """Read the sizes, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--galaxies", type=int, default=1024, help="in one shard")
    parser.add_argument("--threads", type=int, default=2, help="threads")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds")
    args = parser.parse_args(argv)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    rows = measure(args.galaxies, threads=args.threads, rounds=args.rounds)
    print(HEADER, *rows, sep="\n")


def measure(n_galaxies: int = 1024, *, threads: int = 2, rounds: int = 7) -> list[Row]:
    """The speed of writing raw and jpeg shards, as a share of Pillow's alone.

    Parameters
    ----------
    n_galaxies : int
        Galaxies in the shard.
    threads : int
        Images decoded at once, of ours and of Pillow alone.
    rounds : int
        How often each is timed.
    """
    catalog = catalog_of(n_galaxies, file_format="png")
    paths = list(catalog["file_loc"])
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "galaxies.parquet")
        catalog.to_parquet(table)

        def write(encoding: Literal["raw", "jpeg"]) -> None:
            write_shard(
                table,
                shard=Path(folder, f"{encoding}.tfrecord"),
                settings=WriteShards(
                    image_size_px=SIZE_PX, encoding=encoding, jpeg_quality=95
                ),
                threads=threads,
            )

        seconds = seconds_of_rounds(
            {
                "pillow": lambda: _decode_and_resize(paths, threads),
                "raw": lambda: write("raw"),
                "jpeg": lambda: write("jpeg"),
            },
            rounds=rounds,
        )
    for name, each in seconds.items():
        print(f"{name}: {n_galaxies / sorted(each)[len(each) // 2]:.0f} galaxies/s")
    return [
        ratio_row(
            seconds["pillow"],
            seconds[encoding],
            what=f"writing shards from png, {encoding}, speed",
            against=f"Pillow decoding and resizing alone, {threads} threads",
            bar=0.8,
            better="more",
        )
        for encoding in ("raw", "jpeg")
    ]


def _decode_and_resize(paths: list[str], threads: int) -> None:
    def one(path: str) -> None:
        with Image.open(path) as image:
            image.convert("RGB").resize((SIZE_PX, SIZE_PX), Image.Resampling.BILINEAR)

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(one, paths):
            pass


if __name__ == "__main__":
    main()
