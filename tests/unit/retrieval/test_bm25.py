"""BM25 as the formula gives it by hand, and queries that find nothing."""

from __future__ import annotations

import math

import polars as pl
import pytest

from twotower.config import Bm25
from twotower.errors import DataError
from twotower.retrieval import bm25

K1, B = 0.9, 0.4
PASSAGES = pl.DataFrame(
    {"pid": [51, 52, 53], "text": ["Cat, dog", "the dog and a bird: bird!", "fish"]}
)


def search(*texts: str, depth: int = 10, passages: pl.DataFrame = PASSAGES) -> pl.DataFrame:
    queries = pl.DataFrame({"qid": range(1, len(texts) + 1), "text": texts})
    return bm25.search(passages, queries, depth, Bm25(K1, B))


def term(tf: int, length: int, df: int) -> float:
    """Lucene's BM25 of one word, without the constant k1 + 1: three passages, 2 words on average.

    idf = ln(1 + (N - df + .5) / (df + .5)), times tf / (tf + k1 (1 - b + b length / average)).
    """
    idf = math.log(1 + (3 - df + 0.5) / (df + 0.5))
    return idf * tf / (tf + K1 * (1 - B + B * length / 2))


def test_score_by_hand() -> None:
    # Without stop words: "cat dog" 2, "dog bird bird" 3, "fish" 1.
    found = search("dog or bird")
    assert found.select("qid", "pid").rows() == [(1, 52), (1, 51)]
    expected = [term(tf=1, length=3, df=2) + term(tf=2, length=3, df=1), term(1, 2, df=2)]
    assert found["score"].to_list() == pytest.approx(expected, rel=1e-6)
    # ln(1.6) / 2.08 + 2 ln(8/3) / 3.08, and ln(1.6) / 1.9
    assert found["score"].to_list() == pytest.approx([0.862865, 0.247370], abs=2e-6)


def test_a_query_word_said_twice_counts_twice() -> None:
    once, twice = search("bird"), search("bird bird")
    assert twice["score"].to_list() == pytest.approx([2 * score for score in once["score"]])


def test_passages_without_a_common_word_are_not_retrieved() -> None:
    assert search("Fish?", "cat").select("qid", "pid").rows() == [(1, 53), (2, 51)]


@pytest.mark.parametrize("text", ["the of and", "zebra", "the zebra", "?", "", "x"])
def test_a_query_that_shares_no_word_finds_nothing(text: str) -> None:
    assert search(text, "cat").select("qid", "pid").rows() == [(2, 51)]
    assert search(text).is_empty()


def test_depth_keeps_the_best() -> None:
    assert search("dog or bird", depth=1)["pid"].to_list() == [52]


def test_a_pool_of_one_passage() -> None:
    assert search("cat", "bird", passages=PASSAGES.head(1))["pid"].to_list() == [51]


def test_passages_without_any_word_are_refused() -> None:
    empty = PASSAGES.with_columns(text=pl.lit("the a"))
    with pytest.raises(DataError, match="none of the 3 passages"):
        search("cat", passages=empty)
