"""A training killed again and again, with SIGKILL, ends as one that was left alone."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from repository import Repository, environment

pytestmark = pytest.mark.slow

KILLS = 10
TRAIN = (sys.executable, "stages/train.py")
CHANGES = {
    "model": {"random_dims": 64, "dropout": 0.1},
    "train": {"epochs": 40, "batch_size": 256, "dev_pool": 3000, "hardness": "random"},
    "negatives": {"random": 1, "own": 1, "refresh_epochs": 3},
}
"""A long training of small towers, in which as much as can be is drawn."""


@pytest.fixture
def runs(repo: Repository) -> Callable[[], list[Any]]:
    """Give a function that reads every MLflow run, the newest first."""
    from mlflow import MlflowClient

    def read() -> list[Any]:
        client = MlflowClient(f"sqlite:///{repo.root / 'mlflow.db'}")
        (experiment,) = client.search_experiments(filter_string="name = 'twotower'")
        return list(client.search_runs([experiment.experiment_id]))

    return read


@pytest.fixture
def long_training(repo: Repository, runs: Callable[[], list[Any]]) -> Iterator[Repository]:
    """The repository with CHANGES made, and afterwards as it was found, its runs included."""
    from mlflow import MlflowClient

    before = {run.info.run_id for run in runs()}
    for left_by_another_test in checkpoints(repo):
        left_by_another_test.unlink()
    file = repo.root / "params.yaml"
    params = yaml.safe_load(file.read_text())
    for section, changes in CHANGES.items():
        assert changes.keys() <= params[section].keys()
        params[section].update(changes)
    file.write_text(yaml.safe_dump(params))
    yield repo
    repo.run("git", "checkout", "--quiet", "--", "params.yaml")
    repo.run("dvc", "checkout", "--quiet", "--force")
    client = MlflowClient(f"sqlite:///{repo.root / 'mlflow.db'}")
    for run_id in {run.info.run_id for run in runs()} - before:
        client.delete_run(run_id)


def results(repo: Repository) -> dict[str, bytes]:
    """Give every byte that training leaves."""
    folders = (repo.root / "data" / name for name in ("model", "training"))
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(repo.root)): path.read_bytes() for path in files}


def checkpoints(repo: Repository) -> list[Path]:
    return sorted((repo.root / ".twotower" / "checkpoints").glob("*.safetensors"))


class Training:
    """A training that runs by itself."""

    def __init__(self, repo: Repository, log: Path) -> None:
        self.repo, self.log, self.resumed = repo, log, bool(checkpoints(repo))
        with log.open("w") as file:
            self.process = subprocess.Popen(
                TRAIN, cwd=repo.root, env=environment(), stdout=file, stderr=file
            )

    def wait_until_it_trains(self) -> None:
        """Wait until a checkpoint is there, or has been taken up."""
        while not (
            "going on in epoch" in self.log.read_text() if self.resumed else checkpoints(self.repo)
        ):
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.01)

    def ends_within(self, seconds: float) -> bool:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        assert self.process.returncode == 0, self.log.read_text()
        return True

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def test_a_training_killed_many_times_ends_with_the_same_bytes(
    long_training: Repository, runs: Callable[[], list[Any]], tmp_path: Path
) -> None:
    repo, generator = long_training, random.Random(1)
    whole = Training(repo, tmp_path / "log")
    whole.wait_until_it_trains()
    started = time.monotonic()
    assert whole.ends_within(600)
    takes_s = time.monotonic() - started
    expected, before = results(repo), len(runs())
    assert len(expected) > 4
    assert checkpoints(repo) == []
    for path in expected:
        (repo.root / path).unlink()

    training, begun = Training(repo, tmp_path / "log"), set()
    for _ in range(KILLS):
        training.wait_until_it_trains()
        # Together a quarter of what it takes, so that none comes too late on a busy machine.
        if training.ends_within(generator.uniform(0, 0.5 * takes_s / KILLS)):
            pytest.fail(f"it ended before it was killed {KILLS} times")
        training.kill()
        training = Training(repo, tmp_path / "log")
        training.wait_until_it_trains()
        begun.add(training.log.read_text().split("going on in ")[1].splitlines()[0])
    assert training.ends_within(600)
    assert len(begun) > KILLS / 2, "most lives of it got further"
    assert results(repo) == expected
    assert checkpoints(repo) == []
    newest, *others = runs()
    assert len(others) == before, "one run, however many lives"
    assert newest.info.status == "FINISHED"
    assert newest.data.params["train.epochs"] == str(CHANGES["train"]["epochs"])
