"""Run every program of this folder in turn, and print one table.

Run it from the project's folder: ``make benchmark``, or ``python -m benchmarks``
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.side_by_side import HEADER

__all__ = ["main", "programs"]

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "RESULTS.md"
_VERSIONS = """\
from zoobot.versions import library_versions
versions = library_versions("tensorflow", "keras", "numpy")
print(", ".join(f"{name} {version}" for name, version in versions.items()))
"""
_KEPT = "\n## "  # what stands below is written by hand


def main(argv: Sequence[str] | None = None) -> None:
    """Run the programs, print, and write if asked to."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = programs()
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"some of {', '.join(known)}"
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help=f"write what is printed to {RESULTS.name} too, above its headings",
    )
    args = parser.parse_args(argv)
    unknown = set(args.names) - set(known)
    if unknown:
        parser.error(f"found {', '.join(sorted(unknown))}, expected of {known}")
    lines = []
    failed: list[str] = []
    for line in _report(args.names or known, failed):
        print(line, flush=True)
        lines.append(line)
    if args.write:
        _write("\n".join(lines) + "\n")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def programs() -> list[str]:
    """Names of the programs: the modules of this folder that measure something."""
    paths = sorted(FOLDER.glob("[a-z]*.py"))
    return [path.stem for path in paths if "\ndef measure(" in path.read_text()]


def _report(names: Sequence[str], failed: list[str]) -> Iterator[str]:
    """Lines of the report; names of programs that fail are added to `failed`."""
    yield "# What was measured\n"
    yield from _machine()
    yield f"\n{HEADER}"
    notes: list[str] = []
    remarks: list[str] = []
    for name in names:
        load = os.getloadavg()[0]
        start = time.monotonic()
        result = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}"],
            cwd=FOLDER.parent,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - start
        yield from rows_of(result.stdout)
        remarks += remarks_of(result.stdout)
        note = f"{name}: {seconds:.0f} s, load {load:.1f} before"
        if result.returncode:
            failed.append(name)
            note += f", **failed** with exit status {result.returncode}"
        notes.append(note)
    for remark in remarks:
        yield f"\n{remark}"
    yield "\nPrograms: " + "; ".join(notes) + "."


def rows_of(printed: str) -> list[str]:
    """The rows of the tables in what a program printed, without headers."""
    return [
        line
        for line in printed.splitlines()
        if line.startswith("| ") and line not in HEADER.splitlines()
    ]


def remarks_of(printed: str) -> list[str]:
    """What a program printed beside its table."""
    lines = printed.splitlines()
    return [line for line in lines if line.strip() and not line.startswith("|")]


def _machine() -> Iterator[str]:
    # Another process imports them, so that none is loaded beside the programs.
    found = subprocess.run(
        [sys.executable, "-c", _VERSIONS], capture_output=True, text=True, check=True
    )
    date = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    yield f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB of memory;"
    yield f"{found.stdout.strip()}; {date}."


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return names[0].strip() if names else platform.processor() or platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _write(text: str) -> None:
    by_hand = ""
    if RESULTS.is_file():
        _, heading, below = RESULTS.read_text().partition(_KEPT)
        by_hand = heading + below
    RESULTS.write_text(text + by_hand)


if __name__ == "__main__":
    main()
