"""From any format's raw tables to the canonical corpus, with everything dropped counted.

One pid a distinct text, qrels follow the text; splits are by query; queries without a relevant
passage are dropped. `train` is trained on, `dev` selects, every other split is evaluated.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from twotower.artifacts import Corpus
from twotower.data.raw import RawCorpus, refuse_duplicates
from twotower.errors import DataError
from twotower.text.words import normalised


def build(raw: RawCorpus, *, smoke: bool) -> Corpus:
    """Clean a raw corpus; raises DataError for a split that cannot be used."""
    refuse_duplicates(raw.queries, "qid", "queries of all splits")
    passages, canonical = _distinct_passages(raw.passages)
    qrels = _follow_texts(raw.qrels, canonical)
    asked = raw.queries.with_columns(text=normalised(pl.col("text"))).filter(pl.col("text") != "")
    judged = asked.join(qrels.filter(pl.col("grade") >= 1), on="qid", how="semi")
    _refuse_useless(raw, judged)
    queries = _without_repeats(judged)
    _refuse_emptied(judged, queries)
    qrels = qrels.join(queries.select("qid"), on="qid", how="semi")
    counts = {
        "smoke": smoke,
        "passages": len(passages),
        "passages_empty": int((canonical["text"] == "").sum()),
        "passages_repeated": len(canonical.filter(pl.col("text") != "")) - len(passages),
        "qrels_to_empty_passages": len(raw.qrels.join(_empty(canonical), on="pid", how="semi")),
        **raw.counts,
        "splits": {
            split: _count_split(split, raw.queries, judged, queries, qrels)
            for split in queries["split"].unique(maintain_order=True)
        },
    }
    return Corpus(passages, queries, qrels, counts)


def evaluation_splits(corpus: Corpus) -> list[str]:
    """Give the splits that are evaluated: all but train and dev."""
    splits: list[str] = corpus.queries["split"].unique(maintain_order=True).to_list()
    return [split for split in splits if split not in ("train", "dev")]


def smallest_relevant(qrels: pl.DataFrame, graded_from: int) -> int:
    """Give the smallest grade of a split's qrels that counts as relevant.

    1 where no grade is above 1, else graded_from. Raises DataError if no passage has such a grade.
    """
    highest = qrels.select(pl.col("grade").max()).item() or 0
    smallest = graded_from if highest > 1 else 1
    if highest < smallest:
        raise DataError(
            f"the highest grade of the qrels is {highest}; relevant means {smallest} and above: "
            "lower evaluate.graded_relevant_from, or drop the split"
        )
    return smallest


def _distinct_passages(raw: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give the passages, one a text in the source's order; and every raw pid with its text."""
    canonical = raw.with_columns(text=normalised(pl.col("text")))
    filled = canonical.filter(pl.col("text") != "")
    return filled.unique("text", keep="first", maintain_order=True), canonical


def _empty(canonical: pl.DataFrame) -> pl.DataFrame:
    return canonical.filter(pl.col("text") == "")


def _follow_texts(qrels: pl.DataFrame, canonical: pl.DataFrame) -> pl.DataFrame:
    """Point qrels to the first pid of their passage's text; keep the best grade of repeats."""
    first = canonical.filter(pl.col("text") != "").select(
        "pid", first=pl.col("pid").first().over("text")
    )
    moved = qrels.join(first, on="pid", maintain_order="left").select(
        "qid", "grade", "split", pid="first"
    )
    grouped = moved.group_by("qid", "pid", "split", maintain_order=True).agg(pl.col("grade").max())
    return grouped.select("qid", "pid", "grade", "split")


def _refuse_useless(raw: RawCorpus, judged: pl.DataFrame) -> None:
    present = raw.queries["split"].unique(maintain_order=True).to_list()
    for split in present:
        if judged.filter(pl.col("split") == split).is_empty():
            raise DataError(
                f"split {split}: none of its {len(raw.queries.filter(pl.col('split') == split))} "
                "queries has a relevant passage (grade 1 or is_selected == 1; -1 means that labels "
                "are withheld); it cannot be used: remove its files or supply labels"
            )
    if not {"train", "dev"} < set(present):
        raise DataError(
            f"splits found: {', '.join(present)}; needed: train, dev (or validation), and at least "
            "one other to evaluate"
        )


def _without_repeats(judged: pl.DataFrame) -> pl.DataFrame:
    """Drop queries from train whose text an evaluated split or dev has, and from dev likewise."""
    key = pl.col("text").str.to_lowercase()
    rank = pl.col("split").replace_strict({"train": 2, "dev": 1}, default=0)
    best = rank.min().over(key)
    order = pl.when(rank == 2).then(0).when(rank == 1).then(1).otherwise(2)
    return judged.filter(rank == best).sort(order, "split", maintain_order=True)


def _refuse_emptied(judged: pl.DataFrame, queries: pl.DataFrame) -> None:
    for split in judged["split"].unique(maintain_order=True):
        if queries.filter(pl.col("split") == split).is_empty():
            raise DataError(
                f"split {split}: each of its queries that has a relevant passage stands in an "
                "evaluated split or dev too, and is dropped here; the splits must differ"
            )


def _count_split(
    split: str,
    raw: pl.DataFrame,
    judged: pl.DataFrame,
    queries: pl.DataFrame,
    qrels: pl.DataFrame,
) -> dict[str, Any]:
    """Count one split: queries found, dropped and why, qrels, and what training saw of it."""
    of = pl.col("split") == split
    found, kept = len(raw.filter(of)), len(queries.filter(of))
    without = found - len(judged.filter(of))
    positive = qrels.filter(of & (pl.col("grade") >= 1))["pid"].unique()
    trained = qrels.filter((pl.col("split") == "train") & (pl.col("grade") >= 1))["pid"]
    counts = {
        "queries_found": found,
        "queries_without_positive": without,
        "queries_repeated_in_other_split": found - without - kept,
        "queries": kept,
        "qrels": len(qrels.filter(of)),
    }
    if split != "train":
        counts["positives_seen_in_training"] = int(positive.is_in(trained.implode()).sum())
    return counts
