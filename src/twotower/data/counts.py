"""What the corpus holds and what was dropped on the way to it: plain counts, which add up.

found: for each split of the files, its queries by what became of them. splits: for each split that
is used, its queries, labels, and what it shares with others.
"""

from __future__ import annotations

from typing import Any

import polars as pl

FATES = {
    "cut": "left out by data.fraction or data.max_queries",
    "empty": "without text",
    "unlabelled": "labels withheld (-1)",
    "without_positive": "no relevant passage",
    "of_unused_split": "in a split that is not used",
    "repeated_in_other_split": "text stands in dev or an evaluated split",
    "positives_in_other_split": "relevant passages are those of dev or an evaluated split",
}
"""What becomes of queries that are not used, in the order in which it is decided."""
NOT_ASCII = r"[^\x00-\x7F]"
NOT_LATIN = r"[\p{L}--\p{Latin}]"
MANY = 4
"""Queries with this many relevant passages or more are counted together."""


def scripts(texts: pl.Series) -> dict[str, int]:
    """Count texts that a vocabulary of English words may not know how to read."""
    patterns = {"not_ascii": NOT_ASCII, "with_letters_not_latin": NOT_LATIN}
    return {name: int(texts.str.contains(pattern).sum()) for name, pattern in patterns.items()}


def by_file_split(asked: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Count each file split's queries: found, dropped by fate, used by the split they went to.

    asked: found_in (split of the file), split (used in), fate (null: used).
    """
    used = pl.lit("used_as_") + pl.col("split")
    ends = asked.select("found_in", end=pl.coalesce("fate", used))
    counted = ends.group_by("found_in", "end").len()
    splits: dict[str, dict[str, int]] = {}
    for split in asked["found_in"].unique(maintain_order=True):
        of_split = dict(counted.filter(pl.col("found_in") == split).select("end", "len").rows())
        splits[split] = {"queries": sum(of_split.values()), **dict.fromkeys(FATES, 0), **of_split}
    return splits


def by_split(
    queries: pl.DataFrame, qrels: pl.DataFrame, overlap: pl.Series
) -> dict[str, dict[str, Any]]:
    """Count each used split's queries and labels, and what training saw of it.

    overlap: ids of queries whose text a split that outranks theirs has.
    """
    positives = qrels.filter(pl.col("grade") >= 1)
    trained = positives.filter(pl.col("split") == "train")["pid"].unique()
    counted = {}
    for split in queries["split"].unique(maintain_order=True):
        of_split = positives.filter(pl.col("split") == split)
        asked = queries.filter(pl.col("split") == split)
        counted[split] = {
            "queries": len(asked),
            "queries_in_other_split": int(asked["qid"].is_in(overlap.implode()).sum()),
            **{f"queries_{name}": count for name, count in scripts(asked["text"]).items()},
            "qrels": len(qrels.filter(pl.col("split") == split)),
            **_positives(of_split),
        }
        if split != "train":
            seen = of_split["pid"].unique().is_in(trained.implode()).sum()
            counted[split]["positives_seen_in_training"] = int(seen)
    return counted


def _positives(qrels: pl.DataFrame) -> dict[str, Any]:
    """Count relevant passages: all, different ones, a query, and queries by how many they have."""
    a_query = qrels.group_by("qid").len()["len"].to_numpy()
    capped = a_query.clip(max=MANY).tolist()
    return {
        "positives": len(qrels),
        "positives_different": qrels["pid"].n_unique(),
        "positives_a_query_mean": round(float(a_query.mean()), 4),
        "positives_a_query_max": int(a_query.max()),
        "queries_by_positives": {
            f"{many}{'+' if many == MANY else ''}": capped.count(many)
            for many in range(1, MANY + 1)
        },
        "grades": {
            str(grade): count for grade, count in qrels.group_by("grade").len().sort("grade").rows()
        },
    }
