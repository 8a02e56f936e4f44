"""Presets: small committed files that change params.yaml in place, comments kept.

Two kinds, which leave each other's keys alone: presets/data (sources, vectors) and presets/recipes
(words, towers, losses, negatives, training). The recipe `average`, the default, sets every key of
its kind; each other recipe is that one and its differences.

A preset names only the keys that it sets. `${NAME:-default}` in a value is taken from the
environment, and the path that results is made absolute, since DVC may run in a copy elsewhere.
"""

from __future__ import annotations

import difflib
import io
import os
import re
from pathlib import Path
from typing import Any

from twotower import params, typed_yaml
from twotower.artifacts import PARAMS
from twotower.errors import ConfigError
from twotower.files import writing

FOLDER = Path("presets")
DEFAULT_RECIPE = "average"
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


def names() -> list[str]:
    """Give the presets there are."""
    return sorted(_files())


def _files() -> dict[str, Path]:
    return {path.stem: path for path in FOLDER.glob("*/*.yaml")}


def apply(name: str, path: Path = PARAMS) -> str:
    """Apply a preset to a parameter file and give the change as a unified diff.

    Raises ConfigError for an unknown preset, a path that is not there, or a result that is not
    legal; the file is then as it was.
    """
    files = _files()
    if name not in files:
        raise ConfigError(f"preset {name!r} is unknown; there are {', '.join(names())}")
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if path.is_file():
        typed_yaml.read(path)  # says what is wrong with a file that holds no sections
    yaml = YAML()
    yaml.width = 1_000
    yaml.preserve_quotes = True
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    try:
        content = yaml.load(before) or {}
    except YAMLError as error:
        raise ConfigError(f"{path}: not readable as YAML: {error}") from None
    if files[name].parent.name == "recipes" and name != DEFAULT_RECIPE:
        _merge(content, yaml.load(files[DEFAULT_RECIPE]))
    _merge(content, yaml.load(files[name]))
    text = io.StringIO()
    yaml.dump(content, text)
    with writing(path) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")
        params.load(partial)
    lines = (before.splitlines(), text.getvalue().splitlines())
    return "\n".join(difflib.unified_diff(*lines, str(path), str(path), n=0, lineterm=""))


def _merge(content: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict):
            if not isinstance(content.setdefault(key, {}), dict):
                raise ConfigError(f"{PARAMS}: {key} is not a section of keys")
            _merge(content[key], value)
        else:
            content[key] = _expanded(value) if isinstance(value, str) else value


def _expanded(value: str) -> str:
    found = VARIABLE.search(value)
    if found is None:
        return value
    path = Path(VARIABLE.sub(lambda match: os.environ.get(match[1], match[2]), value)).resolve()
    if not path.exists():
        raise ConfigError(f"{path} does not exist; set {found[1]} to the folder that holds it")
    return str(path)
