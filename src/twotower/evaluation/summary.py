"""metrics/evaluation.json: every figure under one label, and the table that people read.

The label is `smoke` for the embedded sample and `results` for anything else, with `_weak_labels`
behind it where training took every candidate as relevant: so a figure carries its name into `dvc
metrics diff`, MLflow and every table.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from twotower.artifacts import Corpus, read_epochs
from twotower.evaluation.report import SplitReport

SYSTEM_NAMES = {
    "random": "random order",
    "mean": "untrained mean of word vectors",
    "idf_mean": "untrained IDF-weighted mean",
    "start": "this model's untrained start",
    "bm25": "BM25",
    "dense": "this model",
    "fused": "this model + BM25",
}
COLUMNS = {
    "mrr_at_10": "MRR@10",
    "ndcg_at_10": "nDCG@10",
    "recall_at_10": "R@10",
    "recall_at_100": "R@100",
    "recall_at_1000": "R@1000",
}
WEAK = "_weak_labels"
WEAK_NOTE = "WEAK LABELS: trained with every candidate passage of a query as relevant."
SMOKE_NOTE = "SMOKE SET: generated text; these figures only show that the pipeline works."


def collect(
    corpus: Corpus, reports: dict[str, SplitReport], fusion_weight: float
) -> dict[str, Any]:
    """Put together what the metrics file holds: the training, and every split."""
    label = "smoke" if corpus.counts["smoke"] else "results"
    label += WEAK if corpus.counts["train_labels"] == "weak" else ""
    training = read_epochs().filter(pl.col("epoch") > 0)
    best = training.filter(pl.col("dev_mrr_at_10") == pl.col("dev_mrr_at_10").max()).head(1)
    content = {
        "training": best.to_dicts()[0],
        "fusion_weight": fusion_weight,
        "splits": {name: report.figures for name, report in reports.items()},
    }
    return {label: content}


def flatten(figures: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """Give nested figures by dotted names."""
    flat: dict[str, float] = {}
    for key, value in figures.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = float(value)
    return flat


def table(figures: dict[str, Any]) -> str:
    """Lay the figures out as text: one block a split, one row a system."""
    ((name, content),) = figures.items()
    notes = {"smoke": SMOKE_NOTE, WEAK: WEAK_NOTE}
    lines = [note for part, note in notes.items() if part in name]
    for split, of_split in content["splits"].items():
        lines += ["", *_split_lines(split, of_split)]
    lines += ["", f"fusion weight of this model, chosen on dev: {content['fusion_weight']:.1f}"]
    return "\n".join(lines).strip()


def _split_lines(split: str, figures: dict[str, Any]) -> list[str]:
    title = f"{split}: {figures['queries']:,} judged queries, pool of {figures['pool']:,} passages"
    shown = [name for name in COLUMNS if name in figures["dense"]]
    heads = "".join(f"{COLUMNS[name]:>9}" for name in shown)
    lines = [title, f"{'':32}{heads}"]
    for system, words in SYSTEM_NAMES.items():
        values = "".join(f"{figures[system][name]:9.3f}" for name in shown)
        lines.append(f"{words:32}{values}")
    error = figures["dense"]["mrr_at_10_se"]
    tests = [
        f"{key.replace('_p_against_', ' against ')}: p = {value:.4f}"
        for key, value in sorted(figures["dense"].items())
        if "_p_against_" in key
    ]
    lines.append(f"standard error of this model's MRR@10: {error:.3f}; {'; '.join(tests)}")
    return lines
