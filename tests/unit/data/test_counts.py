"""Counts of scripts and of labels, by hand."""

from __future__ import annotations

import polars as pl
import pytest
from small_corpus import build, raw

from twotower.data import counts


@pytest.mark.parametrize(
    ("text", "not_ascii", "not_latin"),
    [
        ("plain", 0, 0),
        ("", 0, 0),
        ("\x7f", 0, 0),
        ("café", 1, 0),
        ("“quote” 5 € 20 °C ½", 1, 0),  # no letters
        ("ﬁne", 1, 0),  # a ligature is Latin
        ("β-carotene", 1, 1),
        ("Москва", 1, 1),
        ("水", 1, 1),
        ("١٢٣", 1, 0),  # digits are no letters
        ("ʰ", 1, 0),
        ("5 µm", 1, 1),  # the micro sign is a letter of no script
    ],
)
def test_scripts(text: str, not_ascii: int, not_latin: int) -> None:
    assert counts.scripts(pl.Series([text])) == {
        "not_ascii": not_ascii,
        "with_letters_not_latin": not_latin,
    }


def test_labels_of_a_split() -> None:
    queries = [(1, "one", "train"), (2, "two", "train"), (3, "five", "train"), (4, "dév", "dev")]
    queries += [(5, "тест", "test"), (6, "more", "test")]
    passages = [(pid, f"text {pid}") for pid in range(10)]
    qrels = [(1, 0, 1), (2, 0, 1), (2, 1, 1), (2, 2, 0), *[(3, pid, 1) for pid in range(5)]]
    qrels += [(4, 9, 1), (5, 0, 3), (5, 9, 2), (5, 8, 1), (5, 7, 0), (6, 6, 2)]
    splits = build(raw(passages, queries, qrels)).counts["splits"]
    assert splits["train"] == {
        "queries": 3,
        "queries_in_other_split": 0,
        "queries_not_ascii": 0,
        "queries_with_letters_not_latin": 0,
        "qrels": 9,
        "positives": 8,
        "positives_different": 5,
        "positives_a_query_mean": 2.6667,
        "positives_a_query_max": 5,
        "queries_by_positives": {"1": 1, "2": 1, "3": 0, "4+": 1},
        "grades": {"1": 8},
    }
    assert splits["dev"]["queries_not_ascii"] == 1
    assert splits["dev"]["positives_seen_in_training"] == 0
    assert splits["test"]["queries_with_letters_not_latin"] == 1
    assert splits["test"]["grades"] == {"1": 1, "2": 2, "3": 1}
    assert splits["test"]["queries_by_positives"] == {"1": 1, "2": 0, "3": 1, "4+": 0}
    assert splits["test"]["positives_seen_in_training"] == 1  # passage 0
