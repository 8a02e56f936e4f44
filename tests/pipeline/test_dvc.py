"""The pipeline as people use it: real DVC, real MLflow, the embedded sample, in a copy of the repo.

The tests share one repository; each leaves it with the committed parameters and their results.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
import yaml
from repository import ROOT, Repository

pytestmark = pytest.mark.slow

MODEL_STAGES = ["train", "embed", "index", "evaluate"]


@pytest.fixture
def runs(repo: Repository) -> Callable[[], list[Any]]:
    """Give a function that reads every MLflow run of the repository's store."""
    from mlflow import MlflowClient

    def read() -> list[Any]:
        client = MlflowClient(f"sqlite:///{repo.root / 'mlflow.db'}")
        (experiment,) = client.search_experiments(filter_string="name = 'twotower'")
        assert experiment.artifact_location.startswith(repo.root.as_uri())
        return list(client.search_runs([experiment.experiment_id]))

    return read


def figures(repo: Repository) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((repo.root / "metrics/evaluation.json").read_text())
    return content


def test_the_sample_is_learnt_and_its_figures_are_marked(repo: Repository) -> None:
    (label,) = figures(repo)
    assert label == "smoke"
    test = figures(repo)["smoke"]["splits"]["test"]
    assert test["pool"] >= 20_000
    assert test["dense"]["mrr_at_10"] > test["start"]["mrr_at_10"] + 0.2
    assert test["dense"]["mrr_at_10"] > test["idf_mean"]["mrr_at_10"] + 0.4
    assert test["random"]["mrr_at_10"] < 0.01
    assert "smoke.splits.test.dense.mrr_at_10" in repo.run("dvc", "metrics", "show", "--md")


def test_data_stages_give_the_committed_bytes(repo: Repository) -> None:
    """Everything before a floating-point sum is the same on every machine."""
    committed = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    for stage in ("download", "prepare", "vectors", "vocab", "tokenize", "describe"):
        outs = {out["path"]: out["md5"] for out in committed[stage]["outs"]}
        assert outs.items() <= repo.outs().items(), stage


def test_a_second_repro_does_nothing(repo: Repository) -> None:
    assert repo.stages_run(repo.run("dvc", "repro")) == []
    assert "up to date" in repo.run("dvc", "status")


def test_a_dry_run_on_a_clone_without_data_is_clean(repo: Repository, tmp_path: Any) -> None:
    repo.run("git", "clone", "--quiet", str(repo.root), str(tmp_path / "clone"))
    clone = Repository(tmp_path / "clone")
    assert clone.stages_run(clone.run("dvc", "repro", "--dry", "--allow-missing")) == []


def test_cold_runs_give_the_same_bytes(repo: Repository) -> None:
    """Invariant 8: all stages again, without the run cache."""
    before = repo.outs()
    output = repo.run("dvc", "repro", "--force", "--no-run-cache")
    assert set(repo.stages_run(output)) == set(repo.lock())
    assert repo.outs() == before
    repo.run("git", "diff", "--exit-code", "dvc.lock", "metrics")


def test_no_artefact_holds_a_path_of_this_machine(repo: Repository) -> None:
    """Invariant 8: nothing of the host in what is hashed; Parquet is compressed, so it is read."""
    root, checked = str(repo.root), 0
    for path in (repo.root / "data").rglob("*"):
        if path.suffix == ".parquet":
            texts = pl.read_parquet(path).select(pl.col(pl.String))
            assert not any(column.str.contains(root, literal=True).any() for column in texts), path
            checked += 1
        elif path.is_file():
            assert root.encode() not in path.read_bytes(), path
    assert checked > 5


def test_an_experiment_runs_only_what_depends_on_it(repo: Repository, runs: Any) -> None:
    before = len(runs())
    output = repo.run("dvc", "exp", "run", "--name", "wider", "-S", "train.margin=0.5")
    assert repo.stages_run(output) == MODEL_STAGES
    difference = repo.run("dvc", "metrics", "diff")
    assert "smoke.splits.test.dense.mrr_at_10" in difference
    assert "splits.test.bm25" not in difference
    newest, *older = runs()
    assert len(older) == before
    assert newest.data.params["train.margin"] == "0.5"
    assert newest.data.tags["dvc.exp_name"] == "wider"
    assert newest.data.tags["twotower.smoke_set"] == "true"
    for path in ("raw", "corpus", "vectors", "tokens", "model", "embeddings", "index"):
        assert newest.data.tags[f"dvc.out.data/{path}"] == repo.outs()[f"data/{path}"], path
    assert newest.info.run_name == "smoke: wider"
    test = figures(repo)["smoke"]["splits"]["test"]
    assert newest.data.metrics["smoke.splits.test.dense.mrr_at_10"] == test["dense"]["mrr_at_10"]
    assert newest.data.metrics["off_diagonal_cosine"] < 0.5


def test_curves_reach_mlflow_and_the_plots(repo: Repository, runs: Any) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{repo.root / 'mlflow.db'}")
    newest = runs()[0].info.run_id
    losses = client.get_metric_history(newest, "loss")
    assert [point.step for point in losses] == list(range(1, len(losses) + 1))
    assert losses[-1].value < 0.8 * losses[0].value, "its floor is (margin - gap) / temperature"
    gaps = client.get_metric_history(newest, "gap")
    assert gaps[-1].value > 1.5 * gaps[0].value
    for name in ("gradient_norm", "learning_rate", "in_batch_recall_at_5", "off_diagonal_cosine"):
        assert len(client.get_metric_history(newest, name)) == len(losses), name
    epochs = (repo.root / "data/training/epochs.csv").read_text().splitlines()[1:]
    assert len(client.get_metric_history(newest, "dev_mrr_at_10")) == len(epochs) > 2
    assert len(client.get_metric_history(newest, "pairs_per_s")) == len(epochs) - 1
    page = repo.run("dvc", "plots", "show", "--out", "dvc_plots")
    html = (repo.root / "dvc_plots" / "index.html").read_text()
    assert "index.html" in page
    titles = ("Training loss", "Positives that fewer", "Length of the gradient", "Learning rate of")
    for title in (*titles, "Quality on the dev queries", "Recall at k on the test"):
        assert title in html, title
    lines = repo.run("dvc", "plots", "show", "--json", "recall at k on test")
    for system in ("bm25", "dense", "fused"):
        assert f'"field": "{system}"' in lines, "each is a line of its own"


def test_figures_under_other_parameters_get_a_run_of_their_own(repo: Repository, runs: Any) -> None:
    before = runs()
    output = repo.run("dvc", "exp", "run", "-S", "bm25.k1=1.2")
    assert repo.stages_run(output) == ["bm25", "evaluate"]
    newest, *older = runs()
    assert [run.info.run_id for run in older] == [run.info.run_id for run in before]
    assert newest.data.params["bm25.k1"] == "1.2"
    assert newest.data.tags["twotower.origin"].startswith("evaluation of the model of run ")
    assert older[0].data.params["bm25.k1"] == "0.9"
    assert older[0].data.metrics == before[0].data.metrics
    repo.run("dvc", "exp", "run", "-S", "bm25.k1=0.9")
    assert len(runs()) == len(before) + 1


def test_going_back_restores_from_the_run_cache(repo: Repository, runs: Any) -> None:
    before = len(runs())
    output = repo.run("dvc", "exp", "run", "-S", "train.margin=0.02")
    assert "train" not in repo.stages_run(output)
    assert len(runs()) == before
    repo.run("git", "diff", "--exit-code", "dvc.lock", "params.yaml", "metrics")


def test_temporary_and_queued_experiments_land_in_the_same_store(
    repo: Repository, runs: Any
) -> None:
    before = len(runs())
    repo.run("dvc", "exp", "run", "--temp", "-S", "train.margin=0.7", "-S", "train.epochs=1")
    queued = "train.margin=0.2,0.3"
    repo.run("dvc", "exp", "run", "--queue", "-S", queued, "-S", "train.epochs=1")
    repo.run("dvc", "queue", "start", "--jobs", "1")
    for _ in range(180):
        status = repo.run("dvc", "queue", "status")
        if "Queued" not in status and "Running" not in status:
            break
        time.sleep(1)
    assert status.count("Success") == 2, status
    new = runs()[: len(runs()) - before]
    assert sorted(run.data.params["train.margin"] for run in new) == ["0.2", "0.3", "0.7"]
    for run in new:
        assert run.info.status == "FINISHED"
        assert "smoke.splits.test.dense.mrr_at_10" in run.data.metrics
        assert run.data.tags["dvc.exp_name"]


def test_tracking_off_leaves_no_run_and_reruns_nothing(repo: Repository, runs: Any) -> None:
    before = len(runs())
    output = repo.run("dvc", "exp", "run", "-S", "tracking.enabled=false")
    assert repo.stages_run(output) == []
    output = repo.run("dvc", "exp", "run", "-S", "train.epochs=1")
    assert repo.stages_run(output) == MODEL_STAGES
    assert len(runs()) == before
    repo.run("git", "checkout", "--quiet", "--", "params.yaml", "dvc.lock", "metrics")
    repo.run("dvc", "checkout", "--quiet")


def test_search_answers_in_text_and_in_json(repo: Repository) -> None:
    import sys

    search = (sys.executable, "-m", "twotower.cli", "search")
    text = repo.run(*search, "who started the company", "-k", "3")
    assert "smoke set" in text
    answer = json.loads(repo.run(*search, "who started the company", "-k", "3", "--json"))
    assert [hit["rank"] for hit in answer["hits"]] == [1, 2, 3]
    scores = [hit["score"] for hit in answer["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert all(hit["text"] in text for hit in answer["hits"])
    assert "error: the query is empty" in repo.run(*search, " ", fails=True)


def test_a_changed_local_file_is_noticed(repo: Repository) -> None:
    drop = repo.root / "data/local/corpus/collection.tsv"
    drop.write_text("1\ta text\n")
    assert "data/local/corpus" in repo.run("dvc", "status", "download")
    drop.unlink()


def test_a_stage_that_is_interrupted_leaves_no_output_and_fails(repo: Repository) -> None:
    import signal
    import subprocess
    import sys

    from repository import environment

    process = subprocess.Popen(
        [sys.executable, "stages/train.py"],
        cwd=repo.root,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    before = sorted((repo.root / "data").iterdir())
    for line in process.stderr:
        if line.startswith("epoch 1"):
            process.send_signal(signal.SIGINT)
            break
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert sorted((repo.root / "data").iterdir()) == before
