"""What every format reader gives: the same three tables, as the files have them."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from twotower.errors import DataError


@dataclass(frozen=True)
class RawCorpus:
    """Tables before cleaning: texts may repeat or be empty, queries may lack a positive."""

    passages: pl.DataFrame
    """pid int64 (unique), text"""
    queries: pl.DataFrame
    """qid int64, text, split"""
    qrels: pl.DataFrame
    """qid int64, pid int64, grade int32, split"""
    counts: dict[str, int] = field(default_factory=dict)
    """What only the format can count."""


def split_name(name: str) -> str:
    """Give a split's name here: the hub's `validation` selects the model, so it is `dev`."""
    return "dev" if name == "validation" else name


def refuse_duplicates(table: pl.DataFrame, column: str, where: str) -> None:
    """Raise if an id stands twice in a table; `where` names its file or files."""
    twice = table.filter(pl.col(column).is_duplicated())[column]
    if len(twice):
        raise DataError(
            f"{where}: {column} {twice[0]} stands there more than once ({twice.n_unique()} such "
            f"ids{_splits_of(table, column, twice[0])}); every id must be unique"
        )


def _splits_of(table: pl.DataFrame, column: str, value: int) -> str:
    """Say where an id of a table of several splits stands."""
    if "split" not in table.columns:
        return ""
    splits = table.filter(pl.col(column) == value)["split"].unique(maintain_order=True)
    return f"; this one in {' and '.join(splits)}"
