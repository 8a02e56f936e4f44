"""Judge every system on every evaluated split: figures, curves, per-query results, TREC files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from twotower.artifacts import EVALUATION, METRICS, RECALL_CURVES, Corpus, write_table
from twotower.config import Evaluate
from twotower.data.corpus import evaluation_splits
from twotower.evaluation import trec
from twotower.evaluation.judge import judge, recall_curve, relevant_from, score
from twotower.evaluation.significance import paired_randomisation, standard_error
from twotower.evaluation.systems import of_split, only
from twotower.files import write_json, writing, writing_folder

EXPORTED = ("bm25", "dense", "fused")
"""Systems whose runs are written as TREC files."""


@dataclass(frozen=True)
class SplitReport:
    """What was found on one split."""

    figures: dict[str, Any]
    curve: pl.DataFrame
    """k, and the recall of each system at it"""
    per_query: pl.DataFrame
    """qid, system, and one column a metric"""


def evaluate(
    corpus: Corpus, runs: dict[str, pl.DataFrame], config: Evaluate, seed: int
) -> dict[str, SplitReport]:
    """Judge every system on every evaluated split."""
    return {
        split: report_split(corpus, split, runs, config, seed)
        for split in evaluation_splits(corpus)
    }


def report_split(
    corpus: Corpus, split: str, runs: dict[str, pl.DataFrame], config: Evaluate, seed: int
) -> SplitReport:
    """Judge every system's run on one split."""
    qids, qrels = of_split(corpus, split)
    smallest = relevant_from(split, config.graded_relevant_from)
    scores, curves = {}, {}
    for system, run in runs.items():  # one at a time: a judged run is large
        judged = judge(only(run, qids), qrels, qids, smallest)
        scores[system] = score(judged, config.depth)
        curves[system] = recall_curve(judged, config.depth)
    figures: dict[str, Any] = {"pool": len(corpus.passages), "queries": len(qids)}
    for system, values in scores.items():
        figures[system] = {name: round(float(each.mean()), 6) for name, each in values.items()}
        figures[system]["mrr_at_10_se"] = round(standard_error(values["mrr_at_10"]), 6)
    main = main_metric(qrels)
    for rival in ("start", "bm25"):
        p = paired_randomisation(scores["dense"][main], scores[rival][main], seed)
        figures["dense"][f"{main}_p_against_{rival}"] = round(p, 6)
    return SplitReport(figures, _curve(curves), _per_query(qids, scores))


def main_metric(qrels: pl.DataFrame) -> str:
    """Name the metric that a split is decided by: nDCG@10 where qrels are graded, else MRR@10."""
    return "mrr_at_10" if qrels.filter(pl.col("grade") > 1).is_empty() else "ndcg_at_10"


def write(
    corpus: Corpus,
    reports: dict[str, SplitReport],
    runs: dict[str, pl.DataFrame],
    figures: dict[str, Any],
) -> None:
    """Write the figures, the recall curves, and the folder of details."""
    with writing_folder(EVALUATION) as folder:
        _write_details(corpus, reports, runs, folder)
    with writing_folder(RECALL_CURVES) as folder:
        for split, report in reports.items():
            report.curve.write_csv(folder / f"{split}.csv")
    with writing(METRICS) as path:
        write_json(path, figures)


def _write_details(
    corpus: Corpus, reports: dict[str, SplitReport], runs: dict[str, pl.DataFrame], folder: Path
) -> None:
    """Write per-query results, and TREC run and qrels files of every evaluated split."""
    tables = [report.per_query.with_columns(split=pl.lit(name)) for name, report in reports.items()]
    write_table(folder / "per_query.parquet", pl.concat(tables))
    for split in reports:
        qids, qrels = of_split(corpus, split)
        trec.write_qrels(qrels, folder / f"{split}.qrels")
        for system in EXPORTED:
            name = f"smoke-{system}" if corpus.counts["smoke"] else system
            trec.write_run(only(runs[system], qids), name, folder / f"{split}.{system}.run")


def _curve(curves: dict[str, dict[int, float]]) -> pl.DataFrame:
    rows = {
        system: [round(value, 6) for value in curve.values()] for system, curve in curves.items()
    }
    return pl.DataFrame({"k": list(curves["dense"]), **rows})


def _per_query(qids: pl.Series, scores: dict[str, dict[str, np.ndarray]]) -> pl.DataFrame:
    return pl.concat(
        pl.DataFrame({"qid": qids, **values}).select(
            "qid", pl.lit(system).alias("system"), pl.all().exclude("qid")
        )
        for system, values in scores.items()
    )
