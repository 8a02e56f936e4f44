"""YAML into frozen dataclasses whose fields say what is legal: `Annotated[int, Within(1, 9)]`.

    problems: list[str] = []
    params = build(Params, read(path), "", problems)

Every key that is unknown (with the nearest known one), missing, of the wrong type or not legal ends
in `problems`, so that a message can name all of them at once.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twotower.errors import ConfigError


@dataclass(frozen=True)
class OneOf:
    """A name out of some."""

    names: tuple[str, ...]

    def allows(self, value: Any) -> bool:
        """Whether a value is legal."""
        return value in self.names

    def __str__(self) -> str:
        return " | ".join(self.names)


@dataclass(frozen=True)
class Within:
    """A number from low to high, both included; `above` leaves low itself out."""

    low: float
    high: float
    above: bool = False

    def allows(self, value: Any) -> bool:
        """Whether a value is legal; NaN is not."""
        return (self.low < value if self.above else self.low <= value) and value <= self.high

    def __str__(self) -> str:
        return f"{'above' if self.above else 'from'} {self.low:.10g} to {self.high:.10g}"


@dataclass(frozen=True)
class NotEmpty:
    """A text with something in it."""

    def allows(self, value: Any) -> bool:
        """Whether a value is legal."""
        return bool(value.strip())

    def __str__(self) -> str:
        return "a text that is not empty"


def read(path: Path) -> dict[str, Any]:
    """Read a file of sections and keys; raises ConfigError if it is none."""
    import yaml

    class Loader(yaml.SafeLoader):
        """PyYAML reads 1e-05 as a text (YAML 1.1); dvc writes floats that way (YAML 1.2)."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            """Refuse a key that stands twice: PyYAML would take the last one."""
            seen: set[str] = set()
            for key, _ in node.value:
                if str(key.value) in seen:
                    line = key.start_mark.line + 1
                    raise yaml.YAMLError(f"line {line}: key {key.value} stands twice")
                seen.add(str(key.value))
            return super().construct_mapping(node, deep)

    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)$"),
        list("-+0123456789."),
    )
    try:
        # SafeLoader underneath: no object is ever built from the file.
        content = yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506
    except FileNotFoundError:
        raise ConfigError(f"{path}: not found; run from the root of the repository") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: not readable: {error.strerror}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: holds {type(content).__name__}, expected sections and keys")
    return content


def build(kind: type, content: dict[str, Any], prefix: str, problems: list[str]) -> object:
    """Build one section; None if something in it is wrong, which `problems` then says."""
    hints = typing.get_type_hints(kind, include_extras=True)
    for key in content:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known: {', '.join(hints)}"
            problems.append(f"{prefix}{key}: unknown key; {hint}")
    values, before = {}, len(problems)
    for key, hint in hints.items():
        name = f"{prefix}{key}"
        if key not in content:
            problems.append(f"{name}: missing")
        elif not dataclasses.is_dataclass(hint):
            values[key] = _value(name, content[key], hint, problems)
        elif isinstance(content[key], dict):
            values[key] = build(typing.cast("type", hint), content[key], f"{name}.", problems)
        else:
            problems.append(f"{name}: {content[key]!r} is not a section of keys")
    return kind(**values) if len(problems) == before else None


def _value(name: str, value: Any, hint: Any, problems: list[str]) -> Any:
    """Give a value in its field's type; a whole float passes as int, an int as float."""
    kind, legal = typing.get_args(hint) if typing.get_args(hint) else (hint, None)
    if kind is float and type(value) is int:
        value = float(value)
    if kind is int and type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not kind:
        expected = legal or "true | false"
        problems.append(f"{name}: {value!r} is not of type {kind.__name__}; legal: {expected}")
    elif legal is not None and not legal.allows(value):
        problems.append(f"{name}: {value!r} is not legal; legal: {legal}")
    return value
