"""The whole report on a corpus of six passages: who chose what, and what is written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from twotower import artifacts, files
from twotower.artifacts import Corpus
from twotower.config import Evaluate
from twotower.evaluation import report, summary, systems
from twotower.retrieval.fusion import fuse
from twotower.retrieval.runs import in_order

Scores = dict[int, dict[int, float]]

PIDS = [1, 2, 3, 4, 5, 60]
SPLITS = {1: "train", 10: "dev", 11: "dev", 20: "test", 21: "test", 30: "dl19"}
RELEVANT = {1: 3, 10: 1, 11: 1, 20: 1, 21: 1, 30: 2}
CONFIG = Evaluate(depth=1000, graded_relevant_from=2)
# The two systems disagree about the relevant passage 1 and the other passage 2.
RIGHT, WRONG = {1: 0.9, 2: 0.1}, {2: 0.9, 1: 0.1}


def corpus(*, smoke: bool = False, labels: str = "selected") -> Corpus:
    qids = list(SPLITS)
    splits = pl.Series("split", SPLITS.values())
    qrels = pl.DataFrame({"qid": qids, "pid": RELEVANT.values(), "split": splits}).select(
        "qid", "pid", pl.lit(1, pl.Int32).alias("grade"), "split"
    )
    higher = pl.DataFrame([(30, 60, 3, "dl19")], qrels.schema, orient="row")
    return Corpus(
        passages=pl.DataFrame({"pid": PIDS, "text": [f"passage {pid}" for pid in PIDS]}),
        queries=pl.DataFrame(
            {"qid": qids, "text": [f"query {qid}" for qid in qids], "split": splits}
        ),
        qrels=pl.concat([qrels, higher]),
        counts={"smoke": smoke, "train_labels": labels},
    )


def run(scores: Scores) -> pl.DataFrame:
    rows = [(qid, pid, score) for qid, found in scores.items() for pid, score in found.items()]
    schema = {"qid": pl.Int64, "pid": pl.Int64, "score": pl.Float32}
    return in_order(pl.DataFrame(rows, schema, orient="row"), pl.Series("qid", list(SPLITS)))


def assemble(
    dense: Scores, bm25: Scores, config: Evaluate = CONFIG
) -> tuple[dict[str, pl.DataFrame], float]:
    data = corpus()
    asked = data.queries.filter(pl.col("split") != "train")
    ready = dict.fromkeys(("mean", "idf_mean", "start"), run({10: WRONG, 20: WRONG}))
    ready |= {"dense": run(dense), "bm25": run(bm25)}
    return systems.assemble(data, asked, ready, config, seed=1)


DENSE = {10: RIGHT, 11: RIGHT, 20: WRONG, 21: WRONG, 30: {60: 0.5, 2: 0.4}}
BM25 = {10: WRONG, 11: WRONG, 20: RIGHT, 21: RIGHT}  # nothing at all for query 30


@pytest.fixture
def runs() -> dict[str, pl.DataFrame]:
    return assemble(DENSE, BM25)[0]


@pytest.fixture
def reports(runs: dict[str, pl.DataFrame]) -> dict[str, report.SplitReport]:
    return report.evaluate(corpus(), runs, CONFIG, seed=1)


# A later epoch is as good as the first trained one; the untrained start does not count.
EPOCH = {"epoch": 1, "dev_mrr_at_10": 0.25}
EPOCHS = [{"epoch": 0, "dev_mrr_at_10": 0.9}, EPOCH, {"epoch": 2, "dev_mrr_at_10": 0.25}]


def collected(data: Corpus, reports: dict[str, report.SplitReport]) -> dict[str, Any]:
    """Collect figures in the current folder, where the earlier stages have left theirs."""
    artifacts.write_training_log([], EPOCHS)
    return summary.collect(data, reports, fusion_weight=0.6)


def test_the_fusion_weight_is_devs_choice_alone() -> None:
    # On dev, dense is right: from .6 on the fusion ranks passage 1 first; at .5 the two tie, and
    # "2" > "1". On test it is the other way round: there every weight up to .4 would be best.
    fused, weight = assemble(DENSE, BM25)
    assert weight == 0.6
    data = corpus()
    seen = report.report_split(data, "test", fused, CONFIG, seed=1).figures
    assert fused["fused"].equals(fuse(run(DENSE), run(BM25), 0.6, 1000, data.queries["qid"]))
    assert seen["fused"]["mrr_at_10"] == 0.5
    assert seen["bm25"]["mrr_at_10"] == 1


def test_the_first_of_equally_good_weights_is_taken() -> None:
    assert assemble(BM25, DENSE)[1] == 0.1  # dense is wrong on dev now


def test_systems_come_in_the_tables_order_and_in_one_form(runs: dict[str, pl.DataFrame]) -> None:
    assert list(runs) == list(summary.SYSTEM_NAMES)
    schema = {"qid": pl.Int64, "pid": pl.Int64, "score": pl.Float32}
    assert all(found.schema == schema for found in runs.values())


def test_a_query_without_bm25_hits_keeps_the_dense_ranking(runs: dict[str, pl.DataFrame]) -> None:
    fused = runs["fused"].filter(pl.col("qid") == 30)
    assert fused["pid"].to_list() == [60, 2]


def test_figures_carry_pool_and_query_counts(reports: dict[str, report.SplitReport]) -> None:
    assert list(reports) == ["test", "dl19"]
    counts = {
        name: (each.figures["pool"], each.figures["queries"]) for name, each in reports.items()
    }
    assert counts == {"test": (6, 2), "dl19": (6, 1)}


def test_figures_of_the_worked_split(reports: dict[str, report.SplitReport]) -> None:
    dense = reports["test"].figures["dense"]
    assert (dense["mrr_at_10"], dense["recall_at_10"], dense["mrr_at_10_se"]) == (0.5, 1, 0)
    assert reports["test"].figures["start"]["mrr_at_10"] == 0.25  # 21 is missing from its run
    # Two queries, 1/2 and 1/1: all four sign flips but two are as far, so p is about 1/2.
    assert dense["mrr_at_10_p_against_bm25"] == pytest.approx(0.5, abs=0.03)


def test_a_graded_split_of_one_query(reports: dict[str, report.SplitReport]) -> None:
    dense = reports["dl19"].figures["dense"]
    assert (dense["mrr_at_10"], dense["ndcg_at_10"], dense["recall_at_10"]) == (1, 1, 1)
    assert dense["ndcg_at_10_p_against_bm25"] == 1
    assert reports["dl19"].figures["bm25"]["ndcg_at_10"] == 0


def test_per_query_results_agree_with_the_means(reports: dict[str, report.SplitReport]) -> None:
    for each in reports.values():
        for system in summary.SYSTEM_NAMES:
            mine = each.per_query.filter(pl.col("system") == system)
            assert mine["qid"].n_unique() == len(mine) == each.figures["queries"]
            for name in ("mrr_at_10", "ndcg_at_10", "recall_at_100", "map"):
                assert mine[name].mean() == pytest.approx(each.figures[system][name], abs=1e-6)


def test_the_recall_curve_ends_at_the_depth(reports: dict[str, report.SplitReport]) -> None:
    curve = reports["test"].curve
    assert curve["k"].to_list() == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    assert curve["dense"].to_list() == [0.0, *[1.0] * 9]
    assert curve["random"].to_list()[-1] == 1  # the pool has six passages


@pytest.mark.parametrize("depth", [1, 3, 10, 100])
def test_any_depth_can_be_reported(
    depth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = Evaluate(depth=depth, graded_relevant_from=2)
    runs, _ = assemble(DENSE, BM25, config)
    assert runs["fused"].group_by("qid").len()["len"].max() == min(depth, 2)
    assert runs["random"].group_by("qid").len()["len"].max() == min(depth, 6)
    found = report.evaluate(corpus(), runs, config, seed=1)
    text = summary.table(collected(corpus(), found))
    heads = set(text.split())
    assert ("R@10" in heads, "R@100" in heads) == (depth >= 10, depth >= 100)


def test_systems_that_all_tie_do_not_differ() -> None:
    tied: Scores = {qid: dict.fromkeys(PIDS, 0.5) for qid in (10, 11, 20, 21, 30)}
    runs, _ = assemble(tied, tied)
    runs["start"] = runs["dense"]
    figures = report.report_split(corpus(), "test", runs, CONFIG, seed=1).figures
    # Ties go by text, descending, so passage 1 is the last of 60, 5, 4, 3, 2, 1.
    assert figures["dense"]["mrr_at_10"] == figures["fused"]["mrr_at_10"] == 0.166667
    assert figures["dense"]["mrr_at_10_p_against_bm25"] == 1


@pytest.mark.parametrize(
    ("smoke", "labels", "label"),
    [
        (True, "selected", "smoke"),
        (False, "selected", "results"),
        (True, "weak", "smoke_weak_labels"),
        (False, "weak", "results_weak_labels"),
    ],
)
def test_smoke_figures_and_weak_labels_are_named_so(  # noqa: PLR0917
    smoke: bool,
    labels: str,
    label: str,
    reports: dict[str, report.SplitReport],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    figures = collected(corpus(smoke=smoke, labels=labels), reports)
    assert list(figures) == [label]
    assert (summary.SMOKE_NOTE in summary.table(figures)) == smoke
    assert (summary.WEAK_NOTE in summary.table(figures)) == (labels == "weak")
    assert f"{label}.splits.test.dense.mrr_at_10" in summary.flatten(figures)


def test_collected_figures_are_of_the_best_trained_epoch(
    reports: dict[str, report.SplitReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = collected(corpus(), reports)["results"]
    assert content["training"] == EPOCH
    assert content["fusion_weight"] == 0.6


def test_the_table_has_every_system_and_its_counts(
    reports: dict[str, report.SplitReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = summary.table(collected(corpus(), reports))
    lines = text.splitlines()
    for name in summary.SYSTEM_NAMES.values():
        assert sum(line.startswith(f"{name}  ") for line in lines) == len(reports)
    assert "test: 2 judged queries, pool of 6 passages" in text
    assert "dl19: 1 judged queries, pool of 6 passages" in text
    (bm25,) = [line.split()[1:] for line in lines[:9] if line.startswith("BM25")]
    assert bm25 == ["1.000", "1.000", "1.000", "1.000", "1.000"]


def test_what_is_written(
    reports: dict[str, report.SplitReport],
    runs: dict[str, pl.DataFrame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    report.write(corpus(), reports, runs, {"results": {"splits": {}}})
    written = {path.name for path in artifacts.EVALUATION.iterdir()}
    trec = {
        f"{split}.{end}"
        for split in reports
        for end in ("qrels", "bm25.run", "dense.run", "fused.run")
    }
    assert written == trec | {"per_query.parquet"}
    dense = (artifacts.EVALUATION / "test.dense.run").read_text(encoding="utf-8")
    assert dense == "".join(
        f"{qid} Q0 {pid} {rank} {score} dense\n"
        for qid in (20, 21)
        for rank, (pid, score) in enumerate(WRONG.items(), 1)
    )
    qrels = (artifacts.EVALUATION / "dl19.qrels").read_text(encoding="utf-8")
    assert qrels == "30 0 2 1\n30 0 60 3\n"
    assert pl.read_parquet(artifacts.EVALUATION / "per_query.parquet")["split"].n_unique() == 2
    assert (artifacts.RECALL_CURVES / "dl19.csv").exists()
    assert files.read_json(artifacts.METRICS) == {"results": {"splits": {}}}


def random_run(queries: int, pool: int, depth: int, seed: int) -> pl.DataFrame:
    data = corpus()
    passages = pl.DataFrame({"pid": range(100, 100 + pool)})
    bigger = Corpus(passages, data.queries, data.qrels, data.counts)
    return systems.random_run(bigger, pl.DataFrame({"qid": range(queries)}), depth, seed)


def test_the_random_run_repeats_nothing_and_is_seeded() -> None:
    found = random_run(50, 30, 12, seed=4)
    assert found.group_by("qid").agg(pl.col("pid").n_unique())["pid"].to_list() == [12] * 50
    assert found.equals(random_run(50, 30, 12, seed=4))
    assert not found.equals(random_run(50, 30, 12, seed=5))


def test_every_passage_is_as_likely_at_every_rank_of_the_random_run() -> None:
    seeds, queries, pool = 20, 150, 10
    at: Counter[tuple[int, int]] = Counter()
    for seed in range(seeds):
        pids = random_run(queries, pool, 4, seed)["pid"].to_numpy().reshape(queries, 4)
        for rank in range(4):
            at.update((rank, int(pid)) for pid in pids[:, rank])
    counts = np.array([at[rank, 100 + row] for rank in range(4) for row in range(pool)])
    expected = seeds * queries / pool
    assert counts == pytest.approx(np.full(40, expected), abs=4.5 * expected**0.5)
