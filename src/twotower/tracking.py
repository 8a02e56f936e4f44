"""MLflow: one run a trained model, or nothing at all when tracking is off.

`train` opens the run and names it by its model's fingerprint; `evaluate` finds it again by that
fingerprint and adds the final figures. So no artefact holds a run's id, and equal models are equal
bytes. A model that this store never saw trained (a fresh clone with a pulled cache) gets a new run
that says so.

Under `dvc repro`, `dvc exp run`, `--temp` and `--queue` alike the store is mlflow.db at DVC_ROOT,
which is the repository itself even when the stage runs in a copy of it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twotower.artifacts import is_smoke
from twotower.config import Params, flatten

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

MODEL_TAG = "twotower.model"
BATCH_METRICS = 500


class Run:
    """An open run; with tracking off, one that keeps nothing."""

    def __init__(self, client: MlflowClient | None = None, run_id: str = "") -> None:
        """Without a client, every call does nothing."""
        self._client, self.run_id = client, run_id
        self._waiting: list[Any] = []

    def report(self, metrics: dict[str, float], step: int) -> None:
        """Log measurements of a step; they are sent in batches."""
        if self._client is None:
            return
        from mlflow.entities import Metric

        now_ms = int(time.time() * 1000)
        self._waiting += [Metric(name, value, now_ms, step) for name, value in metrics.items()]
        if len(self._waiting) >= BATCH_METRICS:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self._client is not None and self._waiting:
            for start in range(0, len(self._waiting), BATCH_METRICS):
                batch = self._waiting[start : start + BATCH_METRICS]
                self._client.log_batch(self.run_id, metrics=batch)
            self._waiting = []

    def tag(self, name: str, value: str) -> None:
        """Set a tag."""
        if self._client is not None:
            self._client.set_tag(self.run_id, name, value)


@contextmanager
def training_run(params: Params) -> Iterator[Run]:
    """Open a run for a model about to be trained; it ends FINISHED, or FAILED on any error."""
    if not params.tracking.enabled:
        yield Run()
        return
    client, experiment = _store(params)
    run = Run(client, _create(client, experiment, params))
    try:
        yield run
        run.flush()
        client.set_terminated(run.run_id, "FINISHED")
    except BaseException:
        run.flush()
        client.set_terminated(run.run_id, "FAILED")
        raise


def name_model(run: Run, fingerprint: str) -> None:
    """Say which model the run trained, so that `add_results` finds it."""
    run.tag(MODEL_TAG, fingerprint)


def add_results(params: Params, fingerprint: str, metrics: dict[str, float]) -> None:
    """Add final figures to the newest run that trained the model with this fingerprint."""
    if not params.tracking.enabled:
        return
    client, experiment = _store(params)
    found = client.search_runs([experiment], f"tags.`{MODEL_TAG}` = '{fingerprint}'", max_results=1)
    if found:
        run = Run(client, found[0].info.run_id)
    else:
        run = Run(client, _create(client, experiment, params))
        name_model(run, fingerprint)
        run.tag("twotower.origin", "model restored from a cache; this store never saw it trained")
        client.set_terminated(run.run_id, "FINISHED")
    run.report(metrics, 0)
    run.flush()
    log.info("MLflow: figures added to run %s", run.run_id)


def _store(params: Params) -> tuple[MlflowClient, str]:
    """Give a client of the one store, and the experiment's id; both are made once, under a lock."""
    from filelock import FileLock
    from mlflow import MlflowClient

    for noisy in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    root = Path(os.environ.get("DVC_ROOT", ".")).resolve()
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}"
    # Four processes that create the database at once spoil it, and the artefact folder is frozen
    # into an experiment when it is created: never inside a copy that dvc will delete.
    with FileLock(root / ".mlflow.lock"):
        client = MlflowClient(uri)
        experiment = client.get_experiment_by_name(params.tracking.experiment)
        if experiment is not None:
            return client, str(experiment.experiment_id)
        place = None if "MLFLOW_TRACKING_URI" in os.environ else (root / "mlruns").as_uri()
        return client, str(client.create_experiment(params.tracking.experiment, place))


def _create(client: MlflowClient, experiment: str, params: Params) -> str:
    """Create a run with its parameters, where it comes from, and the hashes of its data."""
    from mlflow.entities import Param
    from mlflow.tracking.context.registry import resolve_tags

    name = os.environ.get("DVC_EXP_NAME", "")
    smoke = is_smoke()
    tags = resolve_tags({"twotower.smoke_set": str(smoke).lower(), **_dependency_tags()})
    tags |= {
        key: value
        for key, value in (
            ("dvc.exp_name", name),
            ("dvc.baseline_rev", os.environ.get("DVC_EXP_BASELINE_REV", "")),
        )
        if value
    }
    label = name or f"{params.model.encoder} {params.train.loss}"
    title = f"smoke: {label}" if smoke else label
    run = client.create_run(experiment, tags=tags, run_name=title)
    values = [Param(key, str(value)) for key, value in flatten(params).items()]
    client.log_batch(run.info.run_id, params=values)
    log.info("MLflow: run %s (%s)", run.info.run_id, title)
    return str(run.info.run_id)


def _dependency_tags() -> dict[str, str]:
    """Give the hash of every artefact so far; dvc.lock has them while a stage runs."""
    import yaml

    lock = Path("dvc.lock")
    if not lock.exists():
        return {}
    stages = yaml.safe_load(lock.read_text(encoding="utf-8")).get("stages", {})
    outs = [out for stage in stages.values() for out in stage.get("outs", [])]
    return {f"dvc.out.{out['path']}": str(out["md5"]) for out in outs if "md5" in out}
