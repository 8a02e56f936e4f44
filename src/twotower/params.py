"""params.yaml -> the dataclasses of `config`, checked in full before any work starts.

`load()` reports every problem at once: a key that is unknown (with the nearest known one), missing,
of the wrong type, outside its legal values, or against another one.

    loaded = load(Path("params.yaml"))
    loaded.train.margin
"""

from __future__ import annotations

import typing
from pathlib import Path

from twotower.config import Params
from twotower.contradictions import contradictions
from twotower.errors import ConfigError
from twotower.typed_yaml import build, read


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check a parameter file; raises ConfigError naming every key that is wrong."""
    problems: list[str] = []
    params = typing.cast("Params", build(Params, read(path), "", problems))
    problems += [] if problems else contradictions(params)
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(f"{path}: {len(problems)} problem(s)\n{lines}")
    return params
