"""A copy of this repository in a folder of its own, for tests that run the real DVC."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Repository:
    """The copy, and how to run things in it."""

    root: Path

    def run(self, *command: str, fails: bool = False) -> str:
        """Run a command at the root; give its stdout and stderr. It must fail just if `fails`."""
        done = subprocess.run(
            command, cwd=self.root, env=environment(), capture_output=True, text=True, check=False
        )
        output = done.stdout + done.stderr
        assert (done.returncode != 0) is fails, f"{command} gave {done.returncode}:\n{output}"
        return output

    def stages_run(self, output: str) -> list[str]:
        """Give the stages that an output of dvc says it executed."""
        marker = "Running stage '"
        return [line.split("'")[1] for line in output.splitlines() if line.startswith(marker)]

    def lock(self) -> dict[str, Any]:
        """Give the stages of dvc.lock."""
        content: dict[str, Any] = yaml.safe_load((self.root / "dvc.lock").read_text())
        return dict(content["stages"])

    def outs(self) -> dict[str, str]:
        """Give the hash of every output."""
        stages = self.lock().values()
        return {out["path"]: out["md5"] for stage in stages for out in stage["outs"]}


def environment() -> dict[str, str]:
    """Give an environment whose `python` and `dvc` are those that run the tests."""
    names = ("DVC_ROOT", "DVC_EXP_NAME", "MLFLOW_TRACKING_URI", "VIRTUAL_ENV")
    clean = {key: value for key, value in os.environ.items() if key not in names}
    return clean | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "test",
        "GIT_AUTHOR_EMAIL": "test@example.org",
        "GIT_COMMITTER_NAME": "test",
        "GIT_COMMITTER_EMAIL": "test@example.org",
    }


def copy_repository(folder: Path) -> Repository:
    """Copy every file that Git has or would add, and commit it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    repository = Repository(folder)
    repository.run("git", "init", "--quiet", "--initial-branch=main")
    repository.run("git", "add", "--all")
    repository.run("git", "commit", "--quiet", "--message=copy")
    return repository
