"""MLflow: one run a trained model, or nothing at all when tracking is off.

`train` opens the run and names it by its model's fingerprint; `evaluate` finds it again by that
fingerprint and adds the final figures. So no artefact holds a run's id, and equal models are equal
bytes. A model that this store never saw trained (a fresh clone with a pulled cache), or that is
evaluated under other parameters than before, gets a new run that says so.

Under `dvc repro`, `dvc exp run`, `--temp` and `--queue` alike the store is mlflow.db at DVC_ROOT,
which is the repository itself even when the stage runs in a copy of it. A store that cannot be
opened is an error before any work; one that fails later costs its measurements, never the model.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twotower.artifacts import (
    CORPUS,
    EMBEDDINGS,
    INDEX,
    MODEL,
    RAW,
    TOKENS,
    VECTORS,
    VOCAB,
    is_smoke,
)
from twotower.artifacts import root as artifacts_root
from twotower.config import Params, flatten
from twotower.errors import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

log = logging.getLogger(__name__)

MODEL_TAG = "twotower.model"
ORIGIN_TAG = "twotower.origin"
BATCH_METRICS = 500
TRAINED_ON = (RAW, CORPUS, VECTORS, VOCAB, TOKENS)
BUILT_FROM_MODEL = (MODEL, EMBEDDINGS, INDEX)


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
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), BATCH_METRICS):
            self._call("log_batch", metrics=waiting[start : start + BATCH_METRICS])

    def tag(self, tags: dict[str, str]) -> None:
        """Set tags."""
        for key, value in tags.items():
            self._call("set_tag", key=key, value=value)

    def end(self, status: str) -> None:
        """Send what waits and end the run: FINISHED or FAILED."""
        self.flush()
        self._call("set_terminated", status=status)

    def _call(self, method: str, **arguments: Any) -> None:
        """Call the store; if it fails, say so once and keep nothing from then on."""
        if self._client is None:
            return
        try:
            getattr(self._client, method)(self.run_id, **arguments)
        except Exception as error:
            log.warning("MLflow: run %s is cut short: %s", self.run_id, error)
            self._client = None


@contextmanager
def training_run(params: Params, run_id: str = "") -> Iterator[Run]:
    """Open a run for a model about to be trained; it ends FINISHED, or FAILED on any error.

    run_id: the run of the training that is taken up again, if this store has it.
    """
    run = Run()
    if params.tracking.enabled:
        store = _store(params)
        run = _same_run(*store, run_id) or _new_run(*store, params)
    try:
        yield run
    except BaseException:
        run.end("FAILED")
        raise
    run.end("FINISHED")


def _same_run(client: MlflowClient, experiment: str, run_id: str) -> Run | None:
    """Open a run of this experiment again; None if the store has no such run."""
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_run(run_id) if run_id else None
    except MlflowException:
        return None
    if found is None or found.info.experiment_id != experiment:
        return None
    client.update_run(run_id, status="RUNNING")
    log.info("MLflow: run %s goes on", run_id)
    return Run(client, run_id)


def name_model(run: Run, fingerprint: str) -> None:
    """Say which model the run trained, so that `add_results` finds it."""
    run.tag({MODEL_TAG: fingerprint})


def add_results(params: Params, fingerprint: str, metrics: dict[str, float]) -> None:
    """Add final figures to the newest run of this model that has these very parameters."""
    if not params.tracking.enabled:
        return
    client, experiment = _store(params)
    query = f"tags.`{MODEL_TAG}` = '{fingerprint}'"
    found = client.search_runs([experiment], query, order_by=["start_time DESC"])
    same = [run for run in found if _relevant(run.data.params) == _relevant(_texts(params))]
    if same:
        run = Run(client, same[0].info.run_id)
    else:
        run = _new_run(client, experiment, params)
        origin = (
            f"evaluation of the model of run {found[0].info.run_id}"
            if found
            else ("model restored from a cache; this store never saw it trained")
        )
        run.tag({MODEL_TAG: fingerprint, ORIGIN_TAG: origin})
    run.report(metrics, 0)
    run.tag(_hashes(BUILT_FROM_MODEL))
    run.flush()
    if not same:  # a run that training has ended keeps its end, and so its duration
        run.end("FINISHED")
    log.info("MLflow: figures added to run %s", run.run_id)


def _texts(params: Params) -> dict[str, str]:
    return {name: str(value) for name, value in flatten(params).items()}


def _relevant(logged: dict[str, str]) -> dict[str, str]:
    """Leave out what changes no figure."""
    return {name: value for name, value in logged.items() if not name.startswith("tracking.")}


def _store(params: Params) -> tuple[MlflowClient, str]:
    """Give a client of the one store, and the experiment's id; raises TrackingError."""
    from filelock import FileLock
    from mlflow import MlflowClient

    for noisy in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    root = artifacts_root()
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}"
    # Four processes that create the database at once spoil it.
    with FileLock(root / ".mlflow.lock"):
        try:
            client = MlflowClient(uri)
            return client, _experiment(client, params.tracking.experiment, root)
        except TrackingError:
            raise
        except Exception as error:
            raise TrackingError(
                f"the MLflow store {uri} cannot be opened: {error}\n"
                "mend it, or set tracking.enabled: false"
            ) from None


def _experiment(client: MlflowClient, name: str, root: Path) -> str:
    """Give the experiment's id; it is created where it is missing."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        # Frozen into the experiment for good: never inside a copy that DVC will delete.
        place = None if "MLFLOW_TRACKING_URI" in os.environ else (root / "mlruns").as_uri()
        return str(client.create_experiment(name, place))
    if experiment.lifecycle_stage == "deleted":
        raise TrackingError(
            f"tracking.experiment: {name} was deleted in MLflow; choose another name, or restore "
            f"it: mlflow experiments restore --experiment-id {experiment.experiment_id}"
        )
    return str(experiment.experiment_id)


def _new_run(client: MlflowClient, experiment: str, params: Params) -> Run:
    """Create a run with its parameters, where it comes from, and the hashes of its data."""
    from mlflow.entities import Param
    from mlflow.tracking.context.registry import resolve_tags

    smoke, name = is_smoke(), os.environ.get("DVC_EXP_NAME", "")
    tags = {
        "twotower.smoke_set": str(smoke).lower(),
        "dvc.exp_name": name,
        "dvc.baseline_rev": os.environ.get("DVC_EXP_BASELINE_REV", ""),
        **_hashes(TRAINED_ON),
    }
    label = name or f"{params.model.encoder} {params.train.loss}"
    title = f"smoke: {label}" if smoke else label
    known = resolve_tags({key: value for key, value in tags.items() if value})
    run = client.create_run(experiment, tags=known, run_name=title)
    values = [Param(key, value) for key, value in _texts(params).items()]
    client.log_batch(run.info.run_id, params=values)
    client.log_inputs(run.info.run_id, datasets=_datasets(params))
    log.info("MLflow: run %s (%s)", run.info.run_id, title)
    return Run(client, run.info.run_id)


def _datasets(params: Params) -> list[DatasetInput]:
    """Name the corpus by its source and DVC's hash, which fits MLflow's 36 characters exactly."""
    from mlflow.entities import Dataset, DatasetInput

    return [
        DatasetInput(
            Dataset(params.download.source, digest, source_type="local", source=str(CORPUS))
        )
        for digest in _hashes((CORPUS,)).values()
    ]


def _hashes(paths: tuple[Path, ...]) -> dict[str, str]:
    """Give DVC's hash of artefacts of earlier stages, as tags; dvc.lock has them by now."""
    import yaml

    lock = Path("dvc.lock")
    if not lock.exists():
        return {}
    stages = yaml.safe_load(lock.read_text(encoding="utf-8")).get("stages", {})
    md5 = {out["path"]: out.get("md5") for stage in stages.values() for out in stage["outs"]}
    return {f"dvc.out.{path}": str(md5[str(path)]) for path in paths if md5.get(str(path))}
