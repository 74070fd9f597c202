"""How much of the time to write a shard is not decoding and resizing.

Writes shards of images of 424 pixels at 300 pixels, and beside it only opens, decodes
and resizes the same images with Pillow, in as many threads; beside shards of JPEG it
encodes them too. The shard's own time holds the vote table's reading, checksums, and
waiting until the file is on the disk.

Run it from the project's folder: ``python -m benchmarks.write_shards``
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from PIL import Image

from benchmarks.galaxies import catalog_of
from benchmarks.side_by_side import HEADER, Row, ratio_row, seconds_of_rounds
from zoobot.data_utils.shard_writer import write_shard
from zoobot.settings.catalog import WriteShards

__all__ = ["main", "measure"]

SIZE_PX = 300
JPEG_QUALITY = 95


def main(argv: Sequence[str] | None = None) -> None:
    """Read the sizes, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--galaxies", type=int, default=1024, help="in one shard")
    parser.add_argument("--threads", type=int, default=2, help="threads")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds")
    args = parser.parse_args(argv)
    rows = measure(args.galaxies, threads=args.threads, rounds=args.rounds)
    print(HEADER, *rows, sep="\n")


def measure(n_galaxies: int = 1024, *, threads: int = 2, rounds: int = 5) -> list[Row]:
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
                    image_size_px=SIZE_PX, encoding=encoding, jpeg_quality=JPEG_QUALITY
                ),
                threads=threads,
            )

        seconds = seconds_of_rounds(
            {
                "Pillow": lambda: _pillow(paths, threads),
                "raw": lambda: write("raw"),
                "Pillow with JPEG": lambda: _pillow(paths, threads, to_jpeg=True),
                "jpeg": lambda: write("jpeg"),
            },
            rounds=rounds,
        )
    speeds = [
        f"{name} {n_galaxies / statistics.median(each):.0f}"
        for name, each in seconds.items()
    ]
    print(f"Writing shards, galaxies/s: {', '.join(speeds)}.")
    return [
        ratio_row(
            seconds[alone],
            seconds[encoding],
            what=f"writing shards from png, {encoding}, speed",
            against=f"Pillow {work} alone, {threads} threads",
            bar=0.8,
            better="more",
        )
        for encoding, alone, work in (
            ("raw", "Pillow", "decoding and resizing"),
            ("jpeg", "Pillow with JPEG", "decoding, resizing and encoding"),
        )
    ]


def _pillow(paths: list[str], threads: int, *, to_jpeg: bool = False) -> None:
    def one(path: str) -> None:
        with Image.open(path) as image:
            small = image.convert("RGB").resize(
                (SIZE_PX, SIZE_PX), Image.Resampling.BILINEAR
            )
        if to_jpeg:
            small.save(io.BytesIO(), "JPEG", quality=JPEG_QUALITY, subsampling=0)

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(one, paths):
            pass


if __name__ == "__main__":
    main()
