"""The corpus formats, chosen by name or by what a folder holds.

A format is a module with `files(folder)`, the files it would read (none: not this format), and
`read(folder)`, which gives a `RawCorpus`: one shape for all formats, not yet cleaned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from twotower.data import passage_ranking, qna
from twotower.data.raw import RawCorpus
from twotower.errors import DataError


class Format(Protocol):
    """What a format module offers."""

    def files(self, folder: Path) -> list[Path]:
        """Give the files of this format in a folder, sorted."""

    def read(self, folder: Path) -> RawCorpus:
        """Read them."""


FORMATS: dict[str, Format] = {"passage-ranking": passage_ranking, "qna": qna}


def files(folder: Path, name: str) -> list[Path]:
    """Give the files that `read` would read."""
    return _choose(folder, name).files(folder)


def read(folder: Path, name: str) -> RawCorpus:
    """Read a folder in the named format, or `auto`."""
    return _choose(folder, name).read(folder)


def _choose(folder: Path, name: str) -> Format:
    candidates = FORMATS if name == "auto" else {name: FORMATS[name]}
    for module in candidates.values():
        if module.files(folder):
            return module
    found = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
    raise DataError(
        f"{folder}: no files of format {' or '.join(candidates)}; expected collection.tsv[.gz], "
        "queries.<split>.tsv and qrels.<split>.tsv, or <split>*.parquet in the hub's layout; "
        f"found {found}"
    )
