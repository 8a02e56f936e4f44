"""Token ids: truncation, unknown words and empty texts, worked by hand and against a slow one."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.tokenize import NLTKWordTokenizer

from twotower.artifacts import PAD, UNK
from twotower.text import tokenizer, words
from twotower.text.tokenizer import Tokenized, Tokenizer, loss_by_split

WORDS = pl.DataFrame({"word": ["<pad>", "<unk>", "a", "b", "c", "'s"]})
TEXTS = ["a b C a", "", "zz a", "A!", "b's ? b"]


def tokenize(texts: list[str], max_tokens: int) -> Tokenized:
    return Tokenizer(WORDS)(pl.Series(texts, dtype=pl.String), max_tokens)


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


def test_loss_by_hand() -> None:
    passages, queries = tokenize(TEXTS, 2), tokenize(["a b c", "zz", "a a", ""], 2)
    splits = pl.Series(["train", "dl19", "train", "dl19"])
    assert loss_by_split(passages, queries, splits) == {
        "passages": {
            "texts": 5,
            "tokens": 9,
            "unknown_token_rate": 0.333333,  # 3 of 9
            "truncated_text_rate": 0.4,  # 2 of 5; the empty text lost nothing
        },
        "queries_train": {
            "texts": 2,
            "tokens": 4,
            "unknown_token_rate": 0.0,
            "truncated_text_rate": 0.5,
        },
        "queries_dl19": {
            "texts": 2,
            "tokens": 2,
            "unknown_token_rate": 1.0,
            "truncated_text_rate": 0.0,
        },
    }


@pytest.mark.parametrize("size", [1, 2, 3])
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
