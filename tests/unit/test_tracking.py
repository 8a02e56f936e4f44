"""MLflow: one run a trained model, found again by its fingerprint; trouble never costs a model."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from twotower import config, tracking
from twotower.errors import TrackingError
from twotower.params import load as read_params

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> config.Params:
    """The committed parameters, in a repository of a raw folder alone."""
    loaded = read_params(ROOT / "params.yaml")
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "data/raw/source.json").write_text(json.dumps({"smoke": True}))
    (tmp_path / "dvc.lock").write_text("stages: {prepare: {outs: [{path: data/corpus, md5: abc}]}}")
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return loaded


def runs() -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{Path.cwd()}/mlflow.db")
    return list(client.search_runs([e.experiment_id for e in client.search_experiments()]))


def train(params: config.Params, fingerprint: str) -> None:
    with tracking.training_run(params) as run:
        run.report({"loss": 0.5}, 1)
        tracking.name_model(run, fingerprint)


def test_a_run_holds_parameters_curves_hashes_and_the_smoke_mark(params: config.Params) -> None:
    train(params, "m1")
    tracking.add_results(params, "m1", {"smoke.splits.test.dense.mrr_at_10": 0.25})
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert run.data.params["train.margin"] == str(params.train.margin)
    assert run.data.metrics == {"loss": 0.5, "smoke.splits.test.dense.mrr_at_10": 0.25}
    assert run.data.tags["dvc.out.data/corpus"] == "abc"
    assert run.data.tags["twotower.smoke_set"] == "true"
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("sample", "abc")
    assert run.info.run_name.startswith("smoke: ")


def test_figures_added_later_leave_the_end_of_the_training_alone(params: config.Params) -> None:
    train(params, "m1")
    (trained,) = runs()
    tracking.add_results(params, "m1", {"x": 1.0})
    (evaluated,) = runs()
    assert evaluated.info.end_time == trained.info.end_time


def test_of_equal_models_the_newest_run_gets_the_figures(params: config.Params) -> None:
    train(params, "m1")
    train(params, "m1")
    tracking.add_results(params, "m1", {"x": 1.0})
    newest, oldest = runs()
    assert (newest.data.metrics.get("x"), oldest.data.metrics.get("x")) == (1.0, None)


def test_other_parameters_never_overwrite_figures(params: config.Params) -> None:
    train(params, "m1")
    tracking.add_results(params, "m1", {"x": 1.0})
    other = dataclasses.replace(params, bm25=config.Bm25(k1=1.2, b=0.4))
    tracking.add_results(other, "m1", {"x": 2.0})
    newest, oldest = runs()
    assert (newest.data.metrics["x"], oldest.data.metrics["x"]) == (2.0, 1.0)
    assert newest.data.tags[tracking.ORIGIN_TAG].endswith(oldest.info.run_id)


def test_a_model_that_the_store_never_saw_trained_gets_a_run_that_says_so(
    params: config.Params,
) -> None:
    tracking.add_results(params, "m9", {"x": 1.0})
    (run,) = runs()
    assert "restored from a cache" in run.data.tags[tracking.ORIGIN_TAG]
    assert run.info.status == "FINISHED"


def test_a_run_that_breaks_off_is_failed_and_keeps_its_curve(params: config.Params) -> None:
    with pytest.raises(KeyboardInterrupt), tracking.training_run(params) as run:  # noqa: PT012
        run.report({"loss": 0.5}, 1)
        raise KeyboardInterrupt
    (found,) = runs()
    assert found.info.status == "FAILED"
    assert found.data.metrics == {"loss": 0.5}


def test_a_training_that_is_taken_up_again_goes_on_in_its_run(params: config.Params) -> None:
    with pytest.raises(KeyboardInterrupt), tracking.training_run(params) as run:  # noqa: PT012
        run.report({"loss": 0.5}, 1)
        raise KeyboardInterrupt
    with tracking.training_run(params, run.run_id) as again:
        (open_one,) = runs()
        assert open_one.info.status == "RUNNING"
        again.report({"loss": 0.25}, 2)
        tracking.name_model(again, "m1")
    (found,) = runs()
    assert again.run_id == run.run_id == found.info.run_id
    assert found.info.status == "FINISHED"
    assert found.data.metrics == {"loss": 0.25}
    assert found.data.tags[tracking.MODEL_TAG] == "m1"
    tracking.add_results(params, "m1", {"x": 1.0})
    assert len(runs()) == 1


@pytest.mark.parametrize("run_id", ["", "0" * 32, "no id at all"])
def test_a_run_that_the_store_does_not_have_is_opened_anew(
    params: config.Params, run_id: str
) -> None:
    with tracking.training_run(params, run_id) as run:
        pass
    (found,) = runs()
    assert found.info.run_id == run.run_id != run_id
    assert found.data.params["train.margin"] == str(params.train.margin)


def test_a_run_of_another_experiment_is_left_alone(params: config.Params) -> None:
    other = dataclasses.replace(params, tracking=config.Tracking(enabled=True, experiment="other"))
    with tracking.training_run(other) as theirs:
        pass
    with tracking.training_run(params, theirs.run_id) as run:
        pass
    assert run.run_id != theirs.run_id
    assert len({found.info.experiment_id for found in runs()}) == 2


def test_without_tracking_a_run_has_no_id(params: config.Params) -> None:
    off = dataclasses.replace(params, tracking=config.Tracking(enabled=False, experiment="x"))
    with tracking.training_run(off, "an id that was noted before") as run:
        run.report({"loss": 0.5}, 1)
    assert run.run_id == ""


def test_off_means_no_store_at_all(params: config.Params, tmp_path: Path) -> None:
    off = dataclasses.replace(params, tracking=config.Tracking(enabled=False, experiment="x"))
    train(off, "m1")
    tracking.add_results(off, "m1", {"x": 1.0})
    assert not (tmp_path / "mlflow.db").exists()


def test_the_store_is_at_dvc_root_even_in_a_copy(
    params: config.Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    monkeypatch.setenv("DVC_ROOT", str(root))
    train(params, "m1")
    assert (root / "mlflow.db").exists()
    assert not (tmp_path / "mlflow.db").exists()


def test_a_deleted_experiment_is_a_clear_error(params: config.Params) -> None:
    from mlflow import MlflowClient

    train(params, "m1")
    client = MlflowClient(f"sqlite:///{Path.cwd()}/mlflow.db")
    experiment = client.get_experiment_by_name(params.tracking.experiment)
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    with pytest.raises(TrackingError, match="twotower was deleted in MLflow"):
        train(params, "m2")


def test_a_store_that_cannot_be_opened_is_a_clear_error(
    params: config.Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////dev/null/mlflow.db")
    with pytest.raises(TrackingError, match=r"tracking\.enabled: false"):
        train(params, "m1")


def test_a_store_that_fails_later_costs_its_measurements_alone(
    params: config.Params, caplog: pytest.LogCaptureFixture
) -> None:
    with tracking.training_run(params) as run:
        Path("mlflow.db").write_bytes(b"spoilt" * 10_000)
        for step in range(3 * tracking.BATCH_METRICS):
            run.report({"loss": 0.5}, step)
    assert caplog.text.count("is cut short") == 1


def start_in_parallel(folder: str) -> None:
    os.chdir(folder)
    train(read_params(ROOT / "params.yaml"), f"m{os.getpid()}")


@pytest.mark.slow
def test_four_first_runs_at_once_all_land_in_one_store(params: config.Params) -> None:
    assert params.tracking.enabled
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=start_in_parallel, args=(str(Path.cwd()),)) for _ in "1234"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    assert len(runs()) == 4
