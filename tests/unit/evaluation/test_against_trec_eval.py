"""Our figures are trec_eval's and Microsoft's, on random runs with every irregularity."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import pytrec_eval

from twotower.evaluation import trec
from twotower.evaluation.judge import METRICS, judge, score
from twotower.retrieval.runs import make_run

SEEDS = range(24)
TREC_NAMES = {
    "ndcg_at_10": "ndcg_cut_10",
    "precision_at_10": "P_10",
    "hit_at_10": "success_10",
    "recall_at_10": "recall_10",
    "recall_at_100": "recall_100",
    "recall_at_1000": "recall_1000",
    "map": "map",
}
TrecRun = dict[str, dict[str, float]]
TrecQrels = dict[str, dict[str, int]]


@dataclass(frozen=True)
class Case:
    """What a search gave, and the judgements."""

    qids: pl.Series
    pids: pl.Series
    scores_QK: np.ndarray
    rows_QK: np.ndarray
    qrels: pl.DataFrame

    @property
    def run(self) -> pl.DataFrame:
        return make_run(self.qids, self.pids, self.scores_QK, self.rows_QK)

    @property
    def relevant_from(self) -> int:
        return 2 if self.qrels["grade"].max() > 1 else 1  # type: ignore[operator]

    def scores(self, run: pl.DataFrame | None = None) -> dict[str, np.ndarray]:
        found = self.run if run is None else run
        return score(judge(found, self.qrels, self.qids, self.relevant_from), 1000)


def random_case(seed: int) -> Case:
    """Few distinct scores; queries without results; most retrieved passages are not judged."""
    generator = np.random.default_rng(seed)
    pool, queries = int(generator.choice([5, 30, 300, 1500])), 7
    pids = pl.Series("pid", generator.choice(20_000, pool, replace=False))
    qids = pl.Series("qid", generator.choice(900, queries, replace=False))
    depth = min(pool, 1000)
    rows_QK = np.stack([generator.permutation(pool)[:depth] for _ in range(queries)])
    rows_QK[generator.random(rows_QK.shape) < 0.2] = -1
    rows_QK[generator.random(queries) < 0.2] = -1
    steps = generator.choice([2, 5, 50])
    scores_QK = (generator.integers(0, steps, rows_QK.shape) / np.float32(7) - 1).astype(np.float32)
    judged = [
        (qid, pid, grade)
        for qid in qids
        for pid, grade in zip(
            generator.permutation(pids.to_numpy())[: generator.integers(1, 40)],
            [1, *generator.integers(0, 2 + 2 * (seed % 2), 39)],
            strict=False,
        )
    ]
    schema = {"qid": pl.Int64, "pid": pl.Int64, "grade": pl.Int32}
    return Case(qids, pids, scores_QK, rows_QK, pl.DataFrame(judged, schema, orient="row"))


def trec_run(case: Case) -> TrecRun:
    """The case as pytrec_eval takes it, past all our code."""
    found: TrecRun = defaultdict(dict)
    for qid, rows_K, scores_K in zip(case.qids, case.rows_QK, case.scores_QK, strict=True):
        for row, value in zip(rows_K, scores_K, strict=True):
            if row >= 0:
                found[str(qid)][str(case.pids[int(row)])] = float(value)
    return dict(found)


def trec_qrels(case: Case) -> TrecQrels:
    reference: TrecQrels = defaultdict(dict)
    for qid, pid, grade in case.qrels.iter_rows():
        reference[str(qid)][str(pid)] = grade
    return dict(reference)


def parse(path: Path) -> list[list[str]]:
    return [line.split(" ") for line in path.read_text(encoding="utf-8").splitlines()]


def trec_order(found: dict[str, float]) -> list[str]:
    """Best score first; ties by document id as a text, descending."""
    return sorted(found, key=lambda pid: (found[pid], pid), reverse=True)


def by_trec_eval(case: Case, found: TrecRun, reference: TrecQrels) -> dict[str, list[float]]:
    """trec_eval's values a query, in the order of qids; mrr_at_10 is recip_rank of a cut run."""
    evaluator = pytrec_eval.RelevanceEvaluator(
        reference,
        {"ndcg_cut.10", "P.10", "success.10", "recall.10,100,1000", "map", "recip_rank"},
        relevance_level=case.relevant_from,
    )
    cut = {q: {pid: f[pid] for pid in trec_order(f)[:10]} for q, f in found.items()}
    whole, short = evaluator.evaluate(found), evaluator.evaluate(cut)
    qids = [str(qid) for qid in case.qids]
    values = {
        ours: [whole.get(qid, {}).get(theirs, 0.0) for qid in qids]
        for ours, theirs in TREC_NAMES.items()
    }
    return values | {"mrr_at_10": [short.get(qid, {}).get("recip_rank", 0.0) for qid in qids]}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_metric_is_trec_evals(seed: int) -> None:
    case = random_case(seed)
    theirs = by_trec_eval(case, trec_run(case), trec_qrels(case))
    ours = case.scores()
    assert set(ours) == set(theirs) == set(METRICS)
    for name, values in ours.items():
        assert values.tolist() == pytest.approx(theirs[name], abs=1e-9), name


@pytest.mark.parametrize("seed", SEEDS)
def test_trec_eval_finds_the_same_in_the_exported_files(seed: int, tmp_path: Path) -> None:
    case = random_case(seed)
    trec.write_run(case.run, "ours", tmp_path / "run")
    trec.write_qrels(case.qrels, tmp_path / "qrels")
    found: TrecRun = defaultdict(dict)
    for qid, _, pid, _, value, _ in parse(tmp_path / "run"):
        found[qid][pid] = float(value)
    reference: TrecQrels = defaultdict(dict)
    for qid, _, pid, grade in parse(tmp_path / "qrels"):
        reference[qid][pid] = int(grade)
    theirs = by_trec_eval(case, dict(found), dict(reference))
    for name, values in case.scores().items():
        assert values.tolist() == pytest.approx(theirs[name], abs=1e-9), name


@pytest.mark.parametrize("seed", SEEDS[:8])
def test_the_exported_run_is_in_trec_evals_order(seed: int, tmp_path: Path) -> None:
    case = random_case(seed)
    trec.write_run(case.run, "ours", tmp_path / "run")
    lines = parse(tmp_path / "run")
    expected = trec_run(case)
    for qid, found in expected.items():
        mine = [line for line in lines if line[0] == qid]
        assert [line[2] for line in mine] == trec_order(found)
        assert [int(line[3]) for line in mine] == list(range(1, len(found) + 1))
    assert {line[0] for line in lines} == set(expected)
    assert {(line[1], line[5]) for line in lines} <= {("Q0", "ours")}


def test_exported_scores_read_back_as_the_same_float32(tmp_path: Path) -> None:
    bits = np.random.default_rng(3).integers(0, 2**32, 4000, dtype=np.uint32)
    scores = bits.view(np.float32)
    scores = np.sort(scores[np.isfinite(scores)])[::-1]
    run = pl.DataFrame({"qid": 1, "pid": np.arange(len(scores)), "score": scores})
    trec.write_run(run, "ours", tmp_path / "run")
    read = np.array([float(line[4]) for line in parse(tmp_path / "run")]).astype(np.float32)
    assert read.tobytes() == scores.tobytes()


def official_mrr(reference: dict[int, list[int]], candidate: dict[int, list[int]]) -> float:
    """Microsoft's compute_metrics, in its own words: MRR @10 over the reference's queries."""
    total = 0.0
    for qid, ranked in candidate.items():
        for i, pid in enumerate(ranked[:10]):
            if pid in reference[qid]:
                total += 1 / (i + 1)
                break
    return total / len(reference)


@pytest.mark.parametrize("seed", [seed for seed in SEEDS if seed % 2 == 0])
def test_mrr_is_microsofts(seed: int) -> None:
    case = random_case(seed)
    reference, candidate = defaultdict(list), defaultdict(list)
    for qid, pid, grade in case.qrels.iter_rows():
        if grade > 0:
            reference[qid].append(pid)
    for qid, found in trec_run(case).items():
        candidate[int(qid)] = [int(pid) for pid in trec_order(found)]
    expected = official_mrr(reference, candidate)
    assert case.scores()["mrr_at_10"].mean() == pytest.approx(expected, abs=1e-9)


def test_a_constant_scorer_scores_chance() -> None:
    pool, queries, seeds = 40, 50, 60
    values: dict[str, list[float]] = defaultdict(list)
    for seed in range(seeds):
        generator = np.random.default_rng(seed)
        pids = pl.Series("pid", generator.choice(10_000, pool, replace=False))
        qids = pl.Series("qid", range(queries))
        rows = np.tile(np.arange(pool), (queries, 1))
        positive = pids.gather(generator.integers(0, pool, queries))
        qrels = pl.DataFrame(
            {"qid": qids, "pid": positive, "grade": pl.repeat(1, queries, eager=True)}
        )
        for name, found in Case(qids, pids, np.zeros(rows.shape), rows, qrels).scores().items():
            values[name] += found.tolist()
    # One positive, as likely at any rank: MRR@10 = (1 + 1/2 + ... + 1/10) / pool; four errors wide.
    for name, expected in {"mrr_at_10": 2.9289683 / pool, "recall_at_10": 10 / pool}.items():
        error = np.std(values[name]) / np.sqrt(queries * seeds)
        assert np.mean(values[name]) == pytest.approx(expected, abs=4 * error)


def test_a_perfect_scorer_scores_one() -> None:
    pool, relevant = 60, 10
    generator = np.random.default_rng(0)
    pids, qids = pl.Series("pid", range(100, 100 + pool)), pl.Series("qid", range(5))
    grades_QN = np.stack(
        [generator.permutation([1] * relevant + [0] * (pool - relevant)) for _ in qids]
    )
    rows_QN = np.tile(np.arange(pool), (len(qids), 1))
    qrels = pl.DataFrame(
        {
            "qid": np.repeat(qids.to_numpy(), pool),
            "pid": pids.gather(rows_QN.ravel()),
            "grade": grades_QN.ravel(),
        }
    )
    for name, values in Case(qids, pids, grades_QN, rows_QN, qrels).scores().items():
        assert values.tolist() == pytest.approx([1] * len(qids)), name


@pytest.mark.parametrize("seed", SEEDS[:8])
def test_the_order_of_the_pool_changes_nothing(seed: int) -> None:
    case = random_case(seed)
    order = np.random.default_rng(seed).permutation(len(case.pids))
    place = np.append(np.argsort(order), -1)  # -1 stays -1
    moved = Case(
        case.qids, case.pids.gather(order), case.scores_QK, place[case.rows_QK], case.qrels
    )
    assert moved.run.equals(case.run)
    columns = np.random.default_rng(seed).permutation(case.rows_QK.shape[1])
    turned = Case(
        case.qids, case.pids, case.scores_QK[:, columns], case.rows_QK[:, columns], case.qrels
    )
    assert turned.run.equals(case.run)
