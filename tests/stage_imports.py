"""What a stage script imports of this repository, by reading its source: for checks of dvc.yaml."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def imported_files(script: Path) -> set[str]:
    """Give every file of the repository that running a script reads as code, itself included.

    Package `__init__` files are left out: a test holds them to a docstring alone.
    """
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        for name in _imported_names(file):
            path = _file_of(name)
            if path is not None:
                waiting.append(path)
    return {str(path.relative_to(ROOT)) for path in found}


def _imported_names(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def _file_of(name: str) -> Path | None:
    for folder in (ROOT / "src", ROOT / "stages"):
        path = folder.joinpath(*name.split(".")).with_suffix(".py")
        if path.is_file():
            return path
    return None


def parameters_read(script: Path) -> set[str]:
    """Give what a stage takes of `params`: sections that it hands on whole, or single keys."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    passed_through = {id(node.value) for node in attributes}
    read = {_chain(node) for node in attributes if id(node) not in passed_through}
    names = {chain.removeprefix("params.") for chain in read if chain.startswith("params.")}
    return {name for name in names if name.partition(".")[0] not in names - {name}}


def _chain(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_chain(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""
