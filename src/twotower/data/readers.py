"""The corpus formats, chosen by name or by what a folder holds.

A format is a module that offers what `Format` says. A new one is such a module and one line in
FORMATS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from twotower.config import Data
from twotower.data import beir, pairs, passage_ranking, qna
from twotower.data.raw import RawCorpus
from twotower.errors import DataError


class Format(Protocol):
    """What a format module offers."""

    def is_part(self, name: str, /) -> bool:
        """Tell whether a path within a folder or archive is one of the format's files."""

    def files(self, folder: Path, /) -> list[Path]:
        """Give the files of a folder that would be read; none: it is not of this format."""

    def read(self, folder: Path, data: Data, /) -> RawCorpus:
        """Read them into the one shape of all formats, not yet cleaned."""


FORMATS: dict[str, Format] = {
    "passage-ranking": passage_ranking,
    "beir": beir,
    "qna": qna,
    "pairs": pairs,
}
"""In the order in which `auto` tries them."""
LAYOUTS = (
    "collection.tsv with queries.<split>.tsv and qrels.<split>.tsv; corpus.jsonl with "
    "queries.jsonl and qrels/<split>.tsv; or <split>*.parquet or <split>*.tsv with candidates, "
    "pairs or triplets"
)


def choose(folder: Path, name: str) -> str:
    """Give the format of a folder: the named one, or for `auto` the first that finds its files.

    Raises DataError if the folder has no file of it.
    """
    candidates = list(FORMATS) if name == "auto" else [name]
    for candidate in candidates:
        if FORMATS[candidate].files(folder):
            return candidate
    found = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
    raise DataError(
        f"{folder}: no files of format {' or '.join(candidates)}; expected {LAYOUTS}; found {found}"
    )


def files(folder: Path, name: str) -> list[Path]:
    """Give the files of a folder that `read` would read."""
    return FORMATS[choose(folder, name)].files(folder)


def read(folder: Path, name: str, data: Data) -> RawCorpus:
    """Read a folder in the named format, or `auto`."""
    chosen = choose(folder, name)
    if data.train_labels == "all" and chosen != "qna":
        raise DataError(
            "data.train_labels: all takes every candidate passage of a query as relevant, and "
            f"only format qna has candidates; this is {chosen}: set it to selected"
        )
    return FORMATS[chosen].read(folder, data)
