"""The corpus formats, chosen by name or by what a folder holds.

A format is a module with `is_part(name)`, whether a path is one of its files, `files(folder)`, the
files that it would read (none: not this format), and `read`, which gives a `RawCorpus`: one shape
for all formats, not yet cleaned.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from twotower.config import Data
from twotower.data import beir, pairs, passage_ranking, qna
from twotower.data.raw import RawCorpus
from twotower.errors import DataError

FORMATS: dict[str, ModuleType] = {
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
    found: list[Path] = FORMATS[choose(folder, name)].files(folder)
    return found


def read(folder: Path, name: str, data: Data) -> RawCorpus:
    """Read a folder in the named format, or `auto`."""
    chosen = choose(folder, name)
    if data.train_labels == "all" and chosen != "qna":
        raise DataError(
            "data.train_labels: all takes every candidate passage of a query as relevant, and "
            f"only format qna has candidates; this is {chosen}: set it to selected"
        )
    if chosen == "pairs":
        return pairs.read(folder, data)
    corpus: RawCorpus = FORMATS[chosen].read(folder)
    return corpus
