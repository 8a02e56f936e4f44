"""From any format's raw tables to the canonical corpus, with everything dropped counted.

One pid a distinct text, qrels follow the text; splits are by query (`splits.py`); queries without a
relevant passage are dropped. Each query meets one fate, so that the counts add up (`counts.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from twotower.artifacts import Corpus
from twotower.config import Data
from twotower.data import counts, splits
from twotower.data.raw import RawCorpus, refuse_duplicates
from twotower.data.repair import mended
from twotower.errors import DataError
from twotower.text.words import normalised

RANK = {"train": 2, "dev": 1}
"""Of two splits that overlap, the one of higher rank gives way; evaluated splits have rank 0."""


def build(raw: RawCorpus, data: Data, seed: int, *, smoke: bool) -> Corpus:
    """Clean a raw corpus; raises DataError for one that cannot be used.

    smoke: whether figures on it are smoke figures; goes into the counts.
    """
    own = "source_id" if "source_id" in raw.queries.columns else "qid"
    refuse_duplicates(raw.queries, own, "queries of all splits")
    kept = splits.cut(raw.queries, raw.qrels, data, seed)
    rest = raw if data.cut == "train" else _without_cut(raw, raw.queries.filter(kept)["qid"], seed)
    cleaned = _clean_passages(rest, data)
    asked, repaired = _clean_queries(raw.queries, data)
    asked = asked.with_columns(fate=pl.when(~kept).then(pl.lit("cut")))
    asked = _labelled(asked, cleaned.qrels, data, seed)
    qrels = _used(cleaned.qrels, asked, data)
    asked, qrels, overlap = _apart(asked, qrels, data)
    queries = _in_order(asked.filter(pl.col("fate").is_null()))
    _refuse_emptied(asked, queries)
    qrels = qrels.join(queries.select("qid"), on="qid", how="semi", maintain_order="left")
    return Corpus(
        passages=cleaned.passages,
        queries=queries.select(*_columns(raw.queries)),
        qrels=qrels.select("qid", "pid", "grade", "split"),
        counts={
            "smoke": smoke,
            "train_labels": "weak" if data.train_labels == "all" else "selected",
            "passages": {
                "found": len(raw.passages),
                "cut": len(raw.passages) - len(rest.passages),
                **cleaned.counts,
            },
            "queries_repaired": repaired,
            "found": counts.by_file_split(asked),
            "splits": counts.by_split(queries, qrels, overlap),
        },
    )


def evaluation_splits(corpus: Corpus) -> list[str]:
    """Give the splits that are evaluated: all but train and dev."""
    present: list[str] = corpus.queries["split"].unique(maintain_order=True).to_list()
    return [split for split in present if split not in RANK]


@dataclass(frozen=True)
class _Passages:
    """Distinct passages, the qrels that follow their texts, and what was dropped."""

    passages: pl.DataFrame
    qrels: pl.DataFrame
    counts: dict[str, int]


def _without_cut(raw: RawCorpus, kept: pl.Series, seed: int) -> RawCorpus:
    """Keep the passages that kept queries list, and the same share of those that none lists."""
    if len(kept) == len(raw.queries):
        return raw
    qrels = raw.qrels.join(kept.to_frame(), on="qid", how="semi", maintain_order="left")
    unlisted = raw.passages.join(raw.qrels, on="pid", how="anti")["pid"]
    share = len(kept) / len(raw.queries)
    pids = pl.concat([qrels["pid"], splits.sample(unlisted, share, seed)]).unique()
    passages = raw.passages.join(pids.to_frame("pid"), on="pid", how="semi", maintain_order="left")
    return RawCorpus(passages, raw.queries, qrels)


def _clean_passages(raw: RawCorpus, data: Data) -> _Passages:
    """Mend and normalise texts, keep one passage a text (its first), and point qrels to it."""
    texts, repaired = mended(raw.passages["text"]) if data.repair else (raw.passages["text"], 0)
    every = raw.passages.with_columns(text=texts).with_columns(text=normalised(pl.col("text")))
    filled = every.filter(pl.col("text") != "")
    distinct = filled.unique("text", keep="first", maintain_order=True)
    first = filled.select("pid", "text").join(distinct.select("text", first="pid"), on="text")
    relevant = pl.col("grade") >= 1
    moved = raw.qrels.join(first.select("pid", "first"), on="pid", maintain_order="left")
    qrels = moved.group_by("qid", pid="first", maintain_order=True).agg(pl.col("grade").max())
    return _Passages(
        distinct,
        qrels,
        {
            "empty": len(every) - len(filled),
            "repeated": len(filled) - len(distinct),
            "kept": len(distinct),
            **counts.scripts(distinct["text"]),
            "repaired": repaired,
            "positives_empty": len(raw.qrels.filter(relevant)) - len(moved.filter(relevant)),
            "qrels_repeated": len(moved) - len(qrels),
        },
    )


def _clean_queries(queries: pl.DataFrame, data: Data) -> tuple[pl.DataFrame, int]:
    """Mend and normalise the queries; `found_in` is the split that their file says."""
    texts, repaired = mended(queries["text"]) if data.repair else (queries["text"], 0)
    cleaned = queries.with_columns(text=texts, found_in="split")
    return cleaned.with_columns(text=normalised(pl.col("text"))), repaired


def _drop(asked: pl.DataFrame, condition: pl.Expr, fate: str) -> pl.DataFrame:
    """Give a fate to the queries that meet a condition and have none yet."""
    fallen = pl.col("fate").is_null() & condition
    return asked.with_columns(fate=pl.when(fallen).then(pl.lit(fate)).otherwise("fate"))


def _labelled(asked: pl.DataFrame, qrels: pl.DataFrame, data: Data, seed: int) -> pl.DataFrame:
    """Drop queries without text or labels, and give each other one the split it is used in."""
    best = qrels.group_by("qid").agg(pl.col("grade").max().alias("best"))
    asked = asked.join(best, on="qid", how="left", maintain_order="left")
    asked = _drop(asked, pl.col("text") == "", "empty")
    asked = _drop(asked, pl.col("best") < 0, "unlabelled")
    rest = pl.col("fate").is_null()
    judged = asked.filter(rest & (pl.col("best") >= 1))["qid"]
    used = splits.assign(asked, judged, data.test, data.held_out_queries, seed)
    asked = asked.with_columns(split=used["split"])
    weak = pl.lit(data.train_labels == "all") & (pl.col("split") == "train")
    positive = pl.when(weak).then(pl.col("best") >= 0).otherwise(pl.col("best") >= 1)
    asked = _drop(asked, ~positive.fill_null(value=False), "without_positive")
    return _drop(asked, pl.col("split").is_null(), "of_unused_split").drop("best")


def _used(qrels: pl.DataFrame, asked: pl.DataFrame, data: Data) -> pl.DataFrame:
    """Keep the known labels of used queries, with their split; weak labels count in train alone."""
    kept = asked.filter(pl.col("fate").is_null()).select("qid", "split")
    qrels = qrels.filter(pl.col("grade") >= 0).join(kept, on="qid", maintain_order="left")
    if data.train_labels == "selected":
        return qrels
    weak = (pl.col("split") == "train") & (pl.col("grade") == 0)
    return qrels.with_columns(grade=pl.when(weak).then(pl.lit(1, pl.Int32)).otherwise("grade"))


def _apart(
    asked: pl.DataFrame, qrels: pl.DataFrame, data: Data
) -> tuple[pl.DataFrame, pl.DataFrame, pl.Series]:
    """Take from train what dev or an evaluated split has, and from dev likewise, or only find it.

    Also gives the ids of the queries whose text, but for case, stands in such a split.
    """
    text, rest = pl.col("text").str.to_lowercase(), pl.col("fate").is_null()
    rank = pl.col("split").replace_strict(RANK, default=0, return_dtype=pl.Int8)
    used = asked.filter(rest).select("qid", rank=rank, best=rank.min().over(text))
    overlap = used.filter(pl.col("rank") > pl.col("best"))["qid"]
    if data.overlap_queries == "remove":
        asked = _drop(asked, pl.col("qid").is_in(overlap.implode()), "repeated_in_other_split")
    if data.overlap_positives == "remove":
        judged = asked.filter(pl.col("fate").is_null() & (pl.col("split") != "train"))
        positive = qrels.filter(pl.col("grade") >= 1)
        held = positive.join(judged, on="qid", how="semi")["pid"].unique()
        shared = (pl.col("split") == "train") & pl.col("pid").is_in(held.implode())
        qrels = qrels.filter(~shared)
        left = qrels.filter(pl.col("grade") >= 1)["qid"].unique()
        asked = _drop(asked, ~pl.col("qid").is_in(left.implode()), "positives_in_other_split")
    return asked, qrels, overlap


def _in_order(queries: pl.DataFrame) -> pl.DataFrame:
    """Train first, then dev, then the others by name; the source's order within."""
    order = pl.col("split").replace_strict({"train": 0, "dev": 1}, default=2, return_dtype=pl.Int8)
    return queries.sort(order, "split", maintain_order=True)


def _refuse_emptied(asked: pl.DataFrame, queries: pl.DataFrame) -> None:
    for split in asked["split"].drop_nulls().unique(maintain_order=True):
        if queries.filter(pl.col("split") == split).is_empty():
            raise DataError(
                f"split {split}: each of its queries that has a relevant passage stands in an "
                "evaluated split or dev too, and is dropped here; the splits must differ"
            )


def _columns(queries: pl.DataFrame) -> list[str]:
    return ["qid", "text", "split", *[name for name in ("source_id",) if name in queries.columns]]
