"""Write the conda environments from the lock files: python -m envs.write_pins."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = {
    "zoobot.yaml": ["requirements.lock"],
    "zoobot_gpu.yaml": ["requirements.lock", "requirements-gpu.lock"],
}
HEAD = """\
# For `--software-deployment-method conda`. Written from {} by envs/write_pins.py; the
# engine copies this file elsewhere, so that it cannot point to them.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def main() -> None:
    """Write both."""
    for name, locks in LOCKS.items():
        lines = [
            line
            for lock in locks
            for line in (ROOT / lock).read_text().splitlines()
            if not line.startswith("#")
        ]
        pins = "".join(f"      - {line}\n" for line in lines)
        (ROOT / "envs" / name).write_text(HEAD.format(" and ".join(locks)) + pins)


if __name__ == "__main__":
    main()
