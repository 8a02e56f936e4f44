"""What tests of every room share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# As in stages/_stage.py: the stages that tests start must not fight the tests for the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

ROOT = Path(__file__).resolve().parents[1]

# Same examples on every run; no time limit an example, as the machine may be busy.
settings.register_profile("house", derandomize=True, deadline=None)
settings.load_profile("house")


@pytest.fixture(scope="session")
def slice_folder() -> Path:
    """The folder with the real `msmarco-slice/` and `glove.6B.zip`; skips where it is absent."""
    folder = Path(os.environ.get("TWOTOWER_SLICE", ROOT.parent / "shared" / "data"))
    if not (folder / "msmarco-slice" / "collection.tsv.gz").is_file():
        pytest.skip(f"no real data in {folder}; name its folder in TWOTOWER_SLICE")
    return folder
