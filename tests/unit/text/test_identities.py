"""Identities: which words are one thing, worked by hand and counted slowly."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

from twotower.artifacts import SPECIAL
from twotower.text import identities
from twotower.text.identities import STOP_WORDS, count_identities

SPECIAL_IDS = [0, 0]


def of(words: list[str], *, stem: bool = False, drop: bool = False) -> list[int]:
    """The identities of words, those of <pad> and <unk> left off."""
    column = pl.Series("word", [*SPECIAL, *words], dtype=pl.String)
    found = identities.identities(column, stem=stem, drop=drop)
    assert found.dtype == np.int64
    assert found[: len(SPECIAL)].tolist() == SPECIAL_IDS
    assert len(found) == len(column)
    numbers: list[int] = found[len(SPECIAL) :].tolist()
    return numbers


def test_words_are_numbered_as_they_first_appear() -> None:
    assert of(["dog", "cat", "Dog", "ant", "dog"]) == [1, 2, 3, 4, 1]
    assert of(["dog", "cat", "Dog", "ant", "CAT"], stem=True) == [1, 2, 1, 3, 2]


def test_words_of_one_stem_are_one() -> None:
    words = ["tower", "cat", "towers", "towering", "Cats", "generously", "running", "runs", "ran"]
    assert of(words, stem=True) == [1, 2, 1, 1, 2, 3, 4, 4, 5]
    assert of(words) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_stop_words_have_none() -> None:
    words = ["The", "tower", "of", "thebes", "not", "into"]
    assert of(words, drop=True) == [0, 1, 0, 2, 0, 0]
    assert of(words, stem=True, drop=True) == [0, 1, 0, 2, 0, 0]
    assert of(words, stem=True) == [1, 2, 3, 4, 5, 6]
    assert of(list(STOP_WORDS), drop=True) == [0] * 33


def test_a_stem_that_is_spelt_like_a_stop_word_is_none() -> None:
    """Stop words are dropped before stems are cut: "being" stays, though its stem is "be"."""
    assert of(["being", "be", "ins"], stem=True, drop=True) == [1, 0, 2]


@pytest.mark.parametrize("options", [{"stem": True}, {"stem": True, "drop": True}])
def test_punctuation_at_the_edges_is_no_part_of_a_word(options: dict[str, bool]) -> None:
    words = ["tower", "tower.", "“tower”", "--tower", "o'tower", "co-op", "co-op.", "c++", "c"]
    assert of(words, **options) == [1, 1, 1, 1, 2, 3, 3, 4, 4]
    assert of(words) == of(words, drop=True) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_what_has_no_letter_or_digit_has_none_if_it_is_dropped() -> None:
    words = [".", "''", "—", "😀", "3", "é", "日本", "٣", "$5", "5"]
    assert of(words, stem=True, drop=True) == [0, 0, 0, 0, 1, 2, 3, 4, 5, 5]
    assert of(words, drop=True) == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]
    assert of(words, stem=True) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9]


def test_plain_words_keep_theirs_whatever_they_are() -> None:
    assert of([".", "''", "the", "The", "."]) == [1, 2, 3, 4, 1]


def test_words_that_are_spelt_like_special_ones_are_ordinary_further_on() -> None:
    assert of(["<pad>", "<unk>", "pad"], drop=True) == [1, 2, 3]
    assert of(["<pad>", "<unk>", "pad"], stem=True) == [1, 2, 1]


@pytest.mark.parametrize("words", [["the", "##s", "t", "##t"], ["a", "b", " ", "."]])
def test_pieces_and_characters_are_their_own_identities(words: list[str]) -> None:
    assert of(words) == [1, 2, 3, 4]


def test_no_words() -> None:
    for options in ({}, {"stem": True}, {"drop": True}):
        assert of([], **options) == []


WORDS = st.lists(st.sampled_from(["a", "A", "the", "cat", "cats", "Cat.", ".", "run", "running"]))


@given(WORDS, st.booleans(), st.booleans())
def test_numbers_are_dense_and_follow_the_first_appearance(
    words: list[str], stem: bool, drop: bool
) -> None:
    found = [number for number in of(words, stem=stem, drop=drop) if number]
    assert list(dict.fromkeys(found)) == list(range(1, len(set(found)) + 1))


def test_counts_by_hand() -> None:
    identity_W = np.array([0, 0, 1, 1, 2, 0])
    store = tiny.store([[2, 3, 4], [1], [5, 5, 2], [4, 4, 4, 1]])
    df, mean = count_identities(store, identity_W)
    assert df.tolist() == [0, 2, 2]  # words 2 and 3 are one identity, once a passage
    assert df.dtype == np.int64
    assert mean == (3 + 0 + 1 + 3) / 4  # tokens with an identity, each time they stand there


def test_no_identity_and_no_passage() -> None:
    df, mean = count_identities(tiny.store([[2], [2, 2]]), np.zeros(3, np.int64))
    assert (df.tolist(), mean) == ([0], 0.0)
    df, mean = count_identities(tiny.store([]), np.array([0, 0, 1]))
    assert (df.tolist(), mean) == ([0, 0], 0.0)


@given(
    st.lists(st.lists(st.integers(1, 7), min_size=1, max_size=6), max_size=9),
    st.lists(st.integers(0, 4), min_size=8, max_size=8),
    st.sampled_from([1, 2, 100]),
)
def test_counts_equal_a_slow_count(texts: list[list[int]], numbers: list[int], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identities, "BLOCK_TEXTS", size)
        df, mean = count_identities(tiny.store(texts), np.array(numbers))
    found = [[numbers[word] for word in text if numbers[word]] for text in texts]
    slow = Counter(number for text in found for number in set(text))
    assert df.tolist() == [slow[number] for number in range(max(numbers) + 1)]
    assert mean == pytest.approx(sum(map(len, found)) / max(len(texts), 1))


def test_a_store_that_was_taken_out_of_another_counts_the_same() -> None:
    store = tiny.random_store(50, seed=3)
    identity_W = tiny.word_vectors().identity_W
    df, mean = count_identities(store, identity_W)
    halves = [count_identities(store.take(rows), identity_W) for rows in np.split(np.arange(50), 2)]
    assert (halves[0][0] + halves[1][0]).tolist() == df.tolist()
    assert (halves[0][1] + halves[1][1]) / 2 == pytest.approx(mean)
    assert all(start < end for start, end in pairwise(store.offsets))
