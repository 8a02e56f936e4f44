"""dvc.yaml cannot drift from the code: deps, outs and params are compared with the source."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from stage_imports import ROOT, imported_files, parameters_read
from twotower.artifacts import STAGE_OUTPUTS

DEFINITION: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
UNTRACKED = "tracking"
"""What MLflow is told never changes a result, so it re-runs nothing."""


def script(stage: str) -> Path:
    return ROOT / str(DEFINITION[stage]["cmd"]).removeprefix("python ")


def parameter(name: str) -> Any:
    """Give a value or a section of params.yaml."""
    value = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key in name.split("."):
        value = value[key]
    return value


def paths(entries: list[Any]) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


@pytest.mark.parametrize("stage", DEFINITION)
def test_code_deps_are_exactly_what_the_script_imports(stage: str) -> None:
    listed = {path for path in paths(DEFINITION[stage]["deps"]) if path.endswith(".py")}
    assert listed == imported_files(script(stage))


@pytest.mark.parametrize("stage", DEFINITION)
def test_params_are_exactly_what_the_script_reads(stage: str) -> None:
    read = {name for name in parameters_read(script(stage)) if not name.startswith(UNTRACKED)}
    assert set(DEFINITION[stage].get("params", [])) == read


def test_outs_are_those_of_artifacts_py() -> None:
    found = {
        stage: {
            path
            for kind in ("outs", "metrics", "plots")
            for path in paths(DEFINITION[stage].get(kind, []))
        }
        for stage in DEFINITION
    }
    assert found == {stage: {str(path) for path in outs} for stage, outs in STAGE_OUTPUTS.items()}


def test_the_lock_knows_the_code_and_the_parameters_as_they_are() -> None:
    """The committed dvc.lock was made by this code: a changed file needs another `dvc repro`."""
    for stage, entry in yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"].items():
        for dep in entry["deps"]:
            if (ROOT / dep["path"]).is_file() and dep["path"].startswith(("src/", "stages/")):
                content = (ROOT / dep["path"]).read_bytes()
                assert hashlib.md5(content).hexdigest() == dep["md5"], f"{stage}: {dep['path']}"
        for name, value in entry.get("params", {}).get("params.yaml", {}).items():
            assert value == parameter(name), f"{stage}: {name}"


def test_only_leaves_write_files_outside_the_cache() -> None:
    """One such output switches DVC's run cache off for its stage."""
    for stage, definition in DEFINITION.items():
        entries = [
            *definition["outs"],
            *definition.get("metrics", []),
            *definition.get("plots", []),
        ]
        uncached = [entry for entry in entries if isinstance(entry, dict) and "cache" in str(entry)]
        assert not uncached or stage in ("describe", "evaluate")


def test_package_init_files_hold_a_docstring_alone() -> None:
    """They are in no stage's deps."""
    for path in (ROOT / "src").rglob("__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert [type(node) for node in body] == [ast.Expr], path


def test_no_stage_script_hides_a_module_of_the_standard_library() -> None:
    import sys

    assert not {path.stem for path in (ROOT / "stages").glob("*.py")} & sys.stdlib_module_names


ROOMS = {
    "config": 0, "artifacts": 0, "errors": 0, "progress": 0, "devices": 0, "files": 0,
    "archives": 0, "downloads": 0, "transfer": 0, "typed_yaml": 0, "contradictions": 0, "params": 0,
    "data": 1, "text": 1, "towers": 1,
    "encoder": 2, "training": 2, "retrieval": 2, "evaluation": 2, "tracking": 2,
    "benchmarks": 3, "presets": 3, "cli": 3,
}  # fmt: skip
"""How high each room stands: lower rooms never import higher ones."""


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names |= {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    names |= {
        f"twotower.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "twotower"
        for alias in node.names
    }
    return {name for name in names if name and name != "twotower"}


def test_lower_rooms_never_import_higher_ones() -> None:
    for path in (ROOT / "src/twotower").rglob("*.py"):
        here = path.relative_to(ROOT / "src/twotower").parts[0].removesuffix(".py")
        for name in imports(path) if here != "__init__" else ():
            if name.startswith("twotower."):
                there = name.split(".")[1]
                assert ROOMS[there] <= ROOMS[here], f"{path} imports {name}"


def test_text_knows_nothing_of_data() -> None:
    """The two rooms stand on one floor; the stairs between them go one way."""
    for path in (ROOT / "src/twotower/text").rglob("*.py"):
        assert not {name for name in imports(path) if name.startswith("twotower.data")}, path


def test_each_library_stays_in_its_room() -> None:
    homes = {
        "torch": {"towers", "training", "retrieval", "devices", "encoder", "benchmarks"},
        "mlflow": {"tracking"},
        "faiss": {"retrieval"},
        "bm25s": {"retrieval"},
        "nltk": {"text"},
        "gensim": {"text"},
        "tokenizers": {"text"},
        "huggingface_hub": {"data"},
        "ftfy": {"data"},
        "requests": {"transfer"},
        "pyarrow": {"data"},
        "mteb": {"benchmarks"},
        "beir": set(),
        "dvc": set(),
    }
    for path in (ROOT / "src/twotower").rglob("*.py"):
        here = path.relative_to(ROOT / "src/twotower").parts[0].removesuffix(".py")
        for name in imports(path):
            library = name.split(".")[0]
            assert here in homes.get(library, {here}), f"{path} imports {name}"
