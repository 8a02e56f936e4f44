"""Token ids: truncation, unknown words and empty texts, worked by hand and against a slow one."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import polars as pl
import pytest
import small_tokenizer
from hypothesis import given
from hypothesis import strategies as st
from nltk.tokenize import NLTKWordTokenizer

from twotower.artifacts import PAD, UNK
from twotower.text import tokenizer, wordpieces, words
from twotower.text.characters import split_characters
from twotower.text.tokenizer import Tokenized, Tokenizer, loss_by_split

WORDS = pl.DataFrame({"word": ["<pad>", "<unk>", "a", "b", "c", "'s"]})
SPLIT = partial(words.split_words, lower_case=True)
TEXTS = ["a b C a", "", "zz a", "A!", "b's ? b"]


def tokenize(texts: list[str], max_tokens: int) -> Tokenized:
    return Tokenizer(WORDS, SPLIT)(pl.Series(texts, dtype=pl.String), max_tokens)


def ids_of(tokenized: Tokenized) -> list[list[int]]:
    store = tokenized.store
    return [store.ids[a:b].tolist() for a, b in pairwise(store.offsets)]


def test_ids_by_hand() -> None:
    found = tokenize(TEXTS, 100)
    assert ids_of(found) == [[2, 3, 4, 2], [UNK], [UNK, 2], [2, UNK], [3, 5, UNK, 3]]
    assert found.words_N.tolist() == [4, 0, 2, 2, 4]
    assert found.unknown_N.tolist() == [0, 1, 1, 1, 1]
    assert (found.store.ids.dtype, found.store.offsets.dtype) == ("int32", "int64")


def test_a_cut_text_keeps_its_first_words() -> None:
    found = tokenize(TEXTS, 2)
    assert ids_of(found) == [[2, 3], [UNK], [UNK, 2], [2, UNK], [3, 5]]
    assert found.words_N.tolist() == [4, 0, 2, 2, 4]
    assert found.unknown_N.tolist() == [0, 1, 1, 1, 0]


def test_no_text() -> None:
    found = tokenize([], 3)
    assert found.store.offsets.tolist() == [0]
    assert [len(part) for part in (found.store.ids, found.words_N, found.unknown_N)] == [0, 0, 0]


def test_the_names_of_special_tokens_are_ordinary_text() -> None:
    assert PAD not in tokenize(["<pad>", "a <pad> <unk>", "<pad>a"], 9).store.ids


def test_forms_that_are_spelt_like_special_tokens_are_unknown() -> None:
    """Word pieces of a model whose own special tokens are spelt as ours are."""
    split = wordpieces.splitter(small_tokenizer.build("<pad>", "<unk>").to_str())
    table = pl.DataFrame({"word": ["<pad>", "<unk>", "the", "##s", "cat"]})
    found = Tokenizer(table, split)(pl.Series(["the <pad> <unk> cats", "zz", "[UNK] cat", ""]), 9)
    assert ids_of(found) == [[2, UNK, UNK, 4, 3], [UNK], [UNK, 4], [UNK]]
    assert found.unknown_N.tolist() == [2, 1, 1, 1]
    assert found.words_N.tolist() == [5, 1, 2, 0]


def test_characters_by_hand() -> None:
    table = pl.DataFrame({"word": ["<pad>", "<unk>", "a", " ", "b"]})
    split = partial(split_characters, lower_case=True)
    found = Tokenizer(table, split)(pl.Series([" A  b<", "", "aaaaaa"]), 4)
    assert ids_of(found) == [[2, 3, 4, UNK], [UNK], [2, 2, 2, 2]]
    assert found.words_N.tolist() == [4, 0, 6]


def test_loss_by_hand() -> None:
    passages, queries = tokenize(TEXTS, 2), tokenize(["a b c", "zz", "a a", ""], 2)
    splits = pl.Series(["train", "dl19", "train", "dl19"])
    # "a" has a vector, "b", "c" and "'s" have not; kept: a b | <unk> | <unk> a | a <unk> | b 's
    assert loss_by_split(passages, queries, splits, pretrained=3) == {
        "passages": {
            "texts": 5,
            "tokens": 9,
            "unknown_token_rate": 0.333333,  # 3 of 9
            "without_vector_rate": 0.666667,  # 6 of 9
            "truncated_text_rate": 0.4,  # 2 of 5; the empty text lost nothing
            "length_mean": 2.4,  # of 4, 0, 2, 2, 4
            "length_p50": 2,
            "length_p90": 4,
            "length_p99": 4,
            "length_max": 4,
        },
        "queries_train": {
            "texts": 2,
            "tokens": 4,
            "unknown_token_rate": 0.0,
            "without_vector_rate": 0.25,
            "truncated_text_rate": 0.5,
            "length_mean": 2.5,
            "length_p50": 2,
            "length_p90": 3,
            "length_p99": 3,
            "length_max": 3,
        },
        "queries_dl19": {
            "texts": 2,
            "tokens": 2,
            "unknown_token_rate": 1.0,
            "without_vector_rate": 1.0,
            "truncated_text_rate": 0.0,
            "length_mean": 0.5,
            "length_p50": 0,
            "length_p90": 1,
            "length_p99": 1,
            "length_max": 1,
        },
    }


@pytest.mark.parametrize(("pretrained", "rate"), [(2, 1.0), (3, 6 / 9), (4, 4 / 9), (6, 3 / 9)])
@pytest.mark.parametrize("some", [1, 2, 100])
def test_the_rate_without_vector(
    pretrained: int, rate: float, some: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer, "LOSS_TEXTS", some)
    loss = loss_by_split(tokenize(TEXTS, 2), tokenize([], 2), pl.Series([]), pretrained)
    assert loss["passages"]["without_vector_rate"] == pytest.approx(rate, abs=1e-6)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=200))
def test_length_percentiles_are_lengths_that_occur(lengths: list[int]) -> None:
    """The smallest length that at least so many percent of the texts do not exceed."""
    found = tokenize(["a " * length for length in lengths], 3)
    loss = loss_by_split(found, tokenize([], 3), pl.Series([]), 3)["passages"]
    for percent in (50, 90, 99):
        expected = min(
            n for n in lengths if sum(m <= n for m in lengths) * 100 >= percent * len(lengths)
        )
        assert loss[f"length_p{percent}"] == expected


@pytest.mark.parametrize("size", [1, 8, 16])
def test_block_size_does_not_matter(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tokenize(TEXTS, 3)
    monkeypatch.setattr(tokenizer, "blocks", partial(words.blocks, size=size))
    found = tokenize(TEXTS, 3)
    assert ids_of(found) == ids_of(whole)
    assert found.words_N.tolist() == whole.words_N.tolist()
    assert found.unknown_N.tolist() == whole.unknown_N.tolist()


@given(st.lists(st.text("aAbcz .'s\n", max_size=10), max_size=6), st.integers(1, 5))
def test_equals_a_slow_tokenizer(texts: list[str], max_tokens: int) -> None:
    ids = {word: row for row, word in enumerate(WORDS["word"])}
    slow = [NLTKWordTokenizer().tokenize(" ".join(text.split()).lower()) for text in texts]
    expected = [[ids.get(word, UNK) for word in text[:max_tokens]] or [UNK] for text in slow]
    found = tokenize(texts, max_tokens)
    assert ids_of(found) == expected
    assert found.words_N.tolist() == [len(text) for text in slow]
    assert found.unknown_N.tolist() == [text.count(UNK) for text in expected]
