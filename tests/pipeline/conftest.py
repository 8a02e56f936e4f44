"""One repository with the whole pipeline run, shared by the tests of this folder."""

from __future__ import annotations

import pytest
from repository import Repository, copy_repository


@pytest.fixture(scope="session")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The pipeline, run once on the sample and committed; each test leaves it as it found it."""
    repository = copy_repository(tmp_path_factory.mktemp("repository"))
    output = repository.run("dvc", "repro")
    # All that describe writes is in Git, and its inputs come out as they were when it wrote that.
    assert set(repository.stages_run(output)) == set(repository.lock()) - {"describe"}
    repository.run("git", "add", "--all")
    repository.run("git", "commit", "--quiet", "--allow-empty", "--message=first run")
    return repository
