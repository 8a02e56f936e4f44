"""The same pipeline on a real MS MARCO slice with real GloVe, against reference figures.

The references were measured once with other code (throw-away scripts, Lucene-form BM25).
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

import pytest
from repository import Repository, copy_repository

pytestmark = [pytest.mark.slow, pytest.mark.slice]

REFERENCE = {
    ("test", "bm25"): {
        "mrr_at_10": 0.497,
        "recall_at_10": 0.787,
        "recall_at_100": 0.947,
        "recall_at_1000": 0.983,
    },
    ("dl19", "bm25"): {"ndcg_at_10": 0.424, "recall_at_100": 0.488},
    ("test", "mean"): {"mrr_at_10": 0.096, "recall_at_10": 0.187, "recall_at_100": 0.402},
    ("dl19", "mean"): {"ndcg_at_10": 0.151, "recall_at_100": 0.150},
    ("test", "idf_mean"): {"mrr_at_10": 0.196, "recall_at_10": 0.361, "recall_at_100": 0.610},
    ("dl19", "idf_mean"): {"ndcg_at_10": 0.223, "recall_at_100": 0.283},
}


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory, slice_folder: Path) -> Repository:
    """The slice preset, applied and run."""
    repository = copy_repository(tmp_path_factory.mktemp("slice"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWOTOWER_SLICE", str(slice_folder))
        change = repository.run(sys.executable, "-m", "twotower.cli", "preset", "slice")
    assert f"+  folder: {slice_folder.resolve()}/msmarco-slice" in change
    repository.run("dvc", "repro")
    return repository


@pytest.fixture(scope="module")
def splits(repo: Repository) -> dict[str, Any]:
    content = json.loads((repo.root / "metrics/evaluation.json").read_text())
    return dict(content["results"]["splits"])


def test_pool_and_queries_are_those_of_the_slice(splits: dict[str, Any]) -> None:
    assert {name: split["queries"] for name, split in splits.items()} == {"test": 418, "dl19": 43}
    assert {split["pool"] for split in splits.values()} == {101_717}


@pytest.mark.parametrize(("split", "system"), REFERENCE)
def test_baselines_agree_with_the_reference(
    splits: dict[str, Any], split: str, system: str
) -> None:
    for metric, expected in REFERENCE[split, system].items():
        assert splits[split][system][metric] == pytest.approx(expected, abs=0.01), metric


def test_the_default_model_earns_its_place(splits: dict[str, Any]) -> None:
    test, dl19 = splits["test"], splits["dl19"]
    assert test["dense"]["mrr_at_10"] >= 0.50, "BM25's own level, from one dense index"
    assert dl19["dense"]["ndcg_at_10"] >= 0.42
    assert test["fused"]["mrr_at_10"] >= 0.54
    assert dl19["fused"]["ndcg_at_10"] >= 0.47
    assert test["dense"]["recall_at_100"] >= 0.95
    assert test["dense"]["mrr_at_10"] > test["start"]["mrr_at_10"]
    assert test["dense"]["recall_at_100"] > test["start"]["recall_at_100"]
    assert dl19["dense"]["ndcg_at_10"] > dl19["start"]["ndcg_at_10"]


def test_no_stage_needed_4_gib(repo: Repository) -> None:
    """The largest resident memory of any process that the tests waited for, in KiB on Linux."""
    assert repo.root.exists()
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 4 * 2**20
