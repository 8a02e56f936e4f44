"""Which queries are trained on, which select, and which are evaluated: by query, seeded.

`train` is trained on, `dev` selects (the epoch, the fusion weight), every other split is evaluated.
A split none of whose queries has a relevant passage (v2.1's test: all labels withheld) is left out.
If no evaluated split is left, dev becomes `test`; a dev or test that is missing then is held out
of train.
"""

from __future__ import annotations

import logging

import numpy as np
import polars as pl

from twotower.config import Data
from twotower.errors import DataError

HELD_OUT_SHARE = 5
"""At most one train query of this many is held out for a split."""


def cut(queries: pl.DataFrame, qrels: pl.DataFrame, data: Data, seed: int) -> pl.Series:
    """Say which queries are kept (boolean, a row each): a seeded share of each split, or of train.

    Of a split's queries with a relevant passage, data.fraction is kept, and at most
    data.max_queries; of its others the same share. A smaller share is part of a larger one.
    """
    positive = qrels.filter(pl.col("grade") >= 1)["qid"].unique()
    table = queries.select("qid", "split", judged=pl.col("qid").is_in(positive.implode()))
    kept = [pl.Series("qid", [], dtype=pl.Int64)]
    for (split,), of_split in table.group_by("split", maintain_order=True):
        groups = [of_split.filter(pl.col("judged") == flag)["qid"] for flag in (True, False)]
        share = data.fraction if split == "train" or data.cut == "all" else 1.0
        if data.max_queries and (split == "train" or data.cut == "all"):
            share = min(share, data.max_queries / max(len(groups[0]) or len(groups[1]), 1))
        kept += [sample(group, share, seed) for group in groups]
    return queries["qid"].is_in(pl.concat(kept).implode())


def sample(ids: pl.Series, share: float, seed: int) -> pl.Series:
    """Give a share of distinct ids, at least one of them, that depends on seed and ids alone."""
    count = max(1, int(np.ceil(round(share * len(ids), 6))))  # 0.07 * 100 is above 7
    return ids.gather(_shuffled(ids.to_numpy(), seed)[:count])


def assign(
    queries: pl.DataFrame, judged: pl.Series, test: str, held_out: int, seed: int
) -> pl.DataFrame:
    """Give the queries with the split that each is used in; null where its split is not used.

    queries: qid, text, split; judged: ids of those with a relevant passage; test: as data.test;
    held_out: as data.held_out_queries. Raises DataError if there is nothing to train on, or if the
    split named by `test` cannot be evaluated.
    """
    labelled = queries.filter(pl.col("qid").is_in(judged.implode()))
    present = labelled["split"].unique(maintain_order=True).to_list()
    if "train" not in present:
        raise DataError(_nothing_to_use("train", queries, present))
    used = _used_as(present, test, queries)
    named = queries.with_columns(pl.col("split").replace_strict(used, default=None))
    missing = [split for split in ("dev", "test") if split not in used.values()]
    if set(used.values()) - {"train", "dev"}:
        missing = [split for split in missing if split == "dev"]
    return _hold_out(named, judged, missing, held_out, seed)


def _used_as(present: list[str], test: str, queries: pl.DataFrame) -> dict[str, str]:
    """Say under which name each labelled split is used."""
    others = [split for split in present if split not in ("train", "dev")]
    used = {"train": "train"}
    if test != "auto":
        chosen = "dev" if test == "validation" else test
        if chosen not in present or chosen == "train":
            raise DataError(_nothing_to_use(chosen, queries, present))
        used |= {"dev": "dev"} if "dev" in present else {}
        return used | {chosen: "test" if chosen == "dev" else chosen}
    if "dev" in present:
        used["dev"] = "dev" if others else "test"
    return used | {split: split for split in others}


def _nothing_to_use(split: str, queries: pl.DataFrame, present: list[str]) -> str:
    found = queries.filter(pl.col("split") == split)
    if split == "train" and split in present:
        return "data.test: train is trained on; it cannot be evaluated"
    if found.is_empty():
        named = ", ".join(queries["split"].unique(maintain_order=True)) or "none"
        return f"there is no split {split}; splits found: {named}"
    return (
        f"split {split}: none of its {len(found)} queries has a relevant passage (grade 1 or "
        "is_selected == 1; -1 means that labels are withheld); it cannot be used: supply labels, "
        f"or name another by data.test (labelled: {', '.join(present) or 'none'})"
    )


def _hold_out(
    queries: pl.DataFrame, judged: pl.Series, missing: list[str], held_out: int, seed: int
) -> pl.DataFrame:
    """Move seeded train queries with a relevant passage to the splits that are missing."""
    for split in missing:
        train = queries.filter(
            (pl.col("split") == "train") & pl.col("qid").is_in(judged.implode())
        )["qid"].to_numpy()
        count = min(held_out, len(train) // HELD_OUT_SHARE)
        if count == 0:
            raise DataError(
                f"there is no labelled split {split}, and train has only {len(train)} queries with "
                f"a relevant passage left: too few to hold some out (data.fraction and "
                f"data.max_queries cut them); supply a {split} split"
            )
        logging.info("no labelled split %s: %d queries of train are held out for it", split, count)
        taken = pl.Series(np.sort(train)[_shuffled(np.sort(train), seed)[:count]])
        queries = queries.with_columns(
            pl.when(pl.col("qid").is_in(taken.implode()))
            .then(pl.lit(split))
            .otherwise("split")
            .alias("split")
        )
    return queries


def _shuffled(qids: np.ndarray, seed: int) -> np.ndarray:
    """Give positions in a random order that depends on the seed and the set of ids alone."""
    order: np.ndarray = np.argsort(qids, kind="stable")
    return order[np.random.default_rng(seed).permutation(len(qids))]
