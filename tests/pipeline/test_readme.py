"""Every command of the README is run: here, by the tests named here, or by CI itself."""

from __future__ import annotations

import json
import re
import shlex
import sys

import pytest
from repository import ROOT, Repository

from twotower.evaluation import summary

ELSEWHERE = {
    "make repro": "its commands are those that the other tests here run",
    "make test": "what CI runs",
    "source .venv/bin/activate": "the environment of the tests",
    "dvc queue start --jobs 1": "test_dvc.py, which waits for its end",
    "dvc exp run --queue -S 'train.margin=0.2,0.3'": "test_dvc.py",
    "mlflow ui --backend-store-uri sqlite:///mlflow.db": "test_the_mlflow_page_answers",
    "twotower preset slice": "test_slice.py, where the slice is",
}


def readme_commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [re.sub(r"\s+#.*$", "", line).strip() for line in lines if line.strip()]


def test_commands_said_to_run_elsewhere_are_in_the_readme() -> None:
    assert set(ELSEWHERE) <= set(readme_commands())


def test_the_table_shown_is_the_one_that_is_measured() -> None:
    figures = json.loads((ROOT / "metrics/evaluation.json").read_text())
    shown = re.findall(r"```text\n(SMOKE SET.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown == [summary.table(figures) + "\n"]


@pytest.mark.slow
def test_every_other_command_works_as_printed(repo: Repository) -> None:
    for command in readme_commands():
        if command in ELSEWHERE:
            continue
        words = shlex.split(command)
        if words[0] == "twotower":
            words = [sys.executable, "-m", "twotower.cli", *words[1:]]
        assert repo.run(*words), command
    repo.run("git", "diff", "--exit-code", "params.yaml", "dvc.lock", "metrics")


@pytest.mark.slow
def test_the_python_code_works_as_printed(repo: Repository) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    shown = repo.run(sys.executable, "-c", code)
    width = re.search(r"\(1, (\d+)\)", shown)
    assert width is not None
    towns, river = (float(score) for score in re.findall(r"\d\.\d+", shown)[:2])
    assert towns > river
    assert int(width[1]) > 50


@pytest.mark.slow
def test_the_mlflow_page_answers(repo: Repository) -> None:
    """The page that shows the runs starts on the store that the pipeline wrote."""
    import socket
    import subprocess
    import time
    import urllib.error
    import urllib.request

    from repository import environment

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["mlflow", "ui", "--backend-store-uri", "sqlite:///mlflow.db", "--port", str(port)]
    log = (repo.root / ".mlflow-ui.partial").open("w")
    process = subprocess.Popen(
        command, cwd=repo.root, env=environment(), stdout=log, stderr=log, start_new_session=True
    )
    try:
        for _ in range(90):
            try:
                page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(1)
        assert b"MLflow" in page
    finally:
        import os
        import signal

        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)
        log.close()
