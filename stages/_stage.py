"""What every stage script shares: this repository's own code, checked parameters, clear errors.

Importing it puts `src` of the repository that the script lies in first on the path: `dvc exp run
--temp` and `--queue` run a copy of the repository, and an installed package would be the
workspace's. It then checks params.yaml, before the script imports anything heavy.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

# Threads that wait for each other wait asleep: awake, two trainings on one machine's cores would
# each be many times slower. Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from twotower import config, params
from twotower.errors import TwoTowerError

try:
    PARAMS = params.load()
except TwoTowerError as error:
    sys.exit(f"error: {error}")


def say(counts: Mapping[str, object], about: str = "") -> None:
    """Print counts on one line."""
    parts = (f"{name.replace('_', ' ')} {value}" for name, value in counts.items())
    logging.info("%s%s", f"{about}: " if about else "", ", ".join(parts))


def run(stage: Callable[[config.Params], None]) -> None:
    """Run the stage and exit: 1 for the user's errors, 130 for Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        stage(PARAMS)
    except TwoTowerError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
