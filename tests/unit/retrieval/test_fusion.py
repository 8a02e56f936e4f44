"""Min-max fusion worked out by hand."""

from __future__ import annotations

import polars as pl
import pytest

from twotower.retrieval.fusion import align, fuse, weigh

QIDS = pl.Series("qid", [2, 1, 3, 4])


def run(*rows: tuple[int, int, float]) -> pl.DataFrame:
    schema = {"qid": pl.Int64, "pid": pl.Int64, "score": pl.Float32}
    return pl.DataFrame(rows, schema, orient="row")


FIRST = run(
    *[(1, 11, 0.8), (1, 12, 0.6), (1, 13, 0.4)],
    *[(2, 21, 0.5), (2, 22, 0.5)],
    (3, 31, -0.2),
)
SECOND = run((1, 14, 12.0), (1, 13, 9.0), (1, 12, 2.0), (2, 22, 7.0), (2, 23, 3.0))


def test_fusion_by_hand() -> None:
    fused = fuse(FIRST, SECOND, 0.6, 10, QIDS)
    expected = [
        # Query 2: the first run's scores are equal, so 1 each; 7..3 is 1 and 0.
        *[(2, 22, 0.6 + 0.4), (2, 21, 0.6), (2, 23, 0.0)],
        # Query 1: .8 .6 .4 is 1 .5 0; 12 9 2 is 1 .7 0.
        *[(1, 11, 0.6), (1, 14, 0.4), (1, 12, 0.6 * 0.5), (1, 13, 0.4 * 0.7)],
        # Query 3: the second run has nothing; one score is 1. Query 4: neither has anything.
        (3, 31, 0.6),
    ]
    assert fused.select("qid", "pid").rows() == [(qid, pid) for qid, pid, _ in expected]
    assert fused["score"].to_list() == pytest.approx([score for *_, score in expected])
    assert fused.schema == {"qid": pl.Int64, "pid": pl.Int64, "score": pl.Float32}


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_depth_cuts_each_query(depth: int) -> None:
    whole = fuse(FIRST, SECOND, 0.6, 10, QIDS)
    cut = fuse(FIRST, SECOND, 0.6, depth, QIDS)
    for qid in (1, 2, 3):
        here = pl.col("qid") == qid
        assert cut.filter(here).equals(whole.filter(here).head(depth))


def test_ties_at_the_cut_have_the_order_of_runs() -> None:
    first = run((1, 9, 1.0), (1, 8, 0.0))
    second = run((1, 10, 5.0), (1, 8, 4.0))
    fused = fuse(first, second, 0.5, 1, QIDS)  # 9 and 10 both have .5; "9" > "10"
    assert fused.select("pid", "score").rows() == [(9, 0.5)]


def test_the_order_of_the_runs_rows_changes_nothing() -> None:
    fused = fuse(FIRST, SECOND, 0.3, 10, QIDS)
    assert fuse(FIRST.reverse(), SECOND.sample(5, shuffle=True, seed=1), 0.3, 10, QIDS).equals(
        fused
    )


def test_weights_reuse_the_aligned_scores() -> None:
    aligned = align(FIRST, SECOND)
    for weight in (0.1, 0.5, 0.9):
        assert weigh(aligned, weight, 2, QIDS).equals(fuse(FIRST, SECOND, weight, 2, QIDS))


def test_full_weight_keeps_the_order_of_one_run() -> None:
    of_one = pl.col("qid") == 1
    dense = fuse(FIRST, SECOND, 1.0, 3, QIDS).filter(of_one)["pid"].to_list()
    lexical = fuse(FIRST, SECOND, 0.0, 3, QIDS).filter(of_one)["pid"].to_list()
    assert dense[:2] == [11, 12]  # 13 has 0, like 14, which the first run lacks
    assert lexical[:2] == [14, 13]
