"""Word pieces are exactly the tokenizer's, without what belongs to running its model."""

from __future__ import annotations

import json
from itertools import pairwise

import polars as pl
import pytest
import small_tokenizer
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE, Unigram

from twotower.artifacts import SPECIAL, UNK
from twotower.errors import DataError
from twotower.text import wordpieces
from twotower.text.words import Words

UNKNOWN = SPECIAL[UNK]


def pieces_of(words: Words) -> list[list[str]]:
    forms, offsets = words.forms.to_list(), words.store.offsets.tolist()
    flat = [forms[row] for row in words.store.ids]
    return [flat[start:end] for start, end in pairwise(offsets)]


def split(tokenizer: Tokenizer, texts: list[str]) -> Words:
    return wordpieces.splitter(tokenizer.to_str())(pl.Series(texts, dtype=pl.String))


def test_by_hand() -> None:
    words = split(small_tokenizer.build(), ["The CATS, sitting", "", "cats the the the the"])
    assert pieces_of(words) == [
        ["the", "cat", "##s", ",", UNKNOWN],  # neither cut at 4, nor [CLS] and [SEP]
        [],  # not padded
        ["cat", "##s", "the", "the", "the", "the"],
    ]
    assert words.forms.n_unique() == len(words.forms) == 5
    assert (words.store.ids.dtype, words.store.offsets.dtype) == ("int32", "int64")


def test_no_text() -> None:
    words = split(small_tokenizer.build(), [])
    assert (len(words.forms), words.store.ids.tolist(), words.store.offsets.tolist()) == (
        0,
        [],
        [0],
    )


def test_a_piece_that_is_spelt_like_ours_for_unknown_text_is_the_same_form() -> None:
    words = split(small_tokenizer.build("<unk>", "<pad>"), ["the zz <unk> [UNK] <pad>"])
    assert pieces_of(words) == [["the", UNKNOWN, UNKNOWN, UNKNOWN, "<pad>"]]
    assert words.forms.n_unique() == len(words.forms) == 3


def test_a_tokenizer_whose_unknown_piece_is_named_by_id() -> None:
    tokenizer = Tokenizer(Unigram([("a", -1.0), ("?", -9.0), ("b", -1.0)], unk_id=1))
    assert pieces_of(split(tokenizer, ["axyb"])) == [["a", UNKNOWN, "b"]]


def test_a_tokenizer_without_an_unknown_piece() -> None:
    tokenizer = Tokenizer(BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")]))
    assert pieces_of(split(tokenizer, ["abxba"])) == [["ab", "b", "a"]]


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_batches_do_not_matter(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordpieces, "BATCH_TEXTS", batch)
    words = split(small_tokenizer.build(), ["the", "", "cats", "sat zz"])
    assert pieces_of(words) == [["the"], [], ["cat", "##s"], ["sat", UNKNOWN]]


ODD = st.sampled_from(
    ["The", "cats", "satting", "[CLS]", "[UNK]", "<pad>", " ", "\x00", "é", "É", ","]
)
TEXT = st.lists(ODD | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)).map("".join)


@given(st.lists(TEXT, max_size=5))
def test_equals_the_tokenizer_text_by_text(texts: list[str]) -> None:
    alone = small_tokenizer.build()
    alone.no_truncation()
    alone.no_padding()
    expected = [alone.encode(text, add_special_tokens=False).tokens for text in texts]
    renamed = [[UNKNOWN if p == "[UNK]" else p for p in pieces] for pieces in expected]
    assert pieces_of(split(small_tokenizer.build(), texts)) == renamed


@given(st.lists(st.sampled_from(["the", "cats", "satting", "sat", ","]), max_size=20))
def test_pieces_joined_are_the_text(words: list[str]) -> None:
    (pieces,) = pieces_of(split(small_tokenizer.build(), [" ".join(words)]))
    assert " ".join(pieces).replace(" ##", "") == " ".join(words)


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", '{"model": {"type": "Nope"}}', "\x00"])
def test_what_is_no_tokenizer(content: str) -> None:
    with pytest.raises(
        DataError, match=r"not a tokenizer\.json: .*vectors\.file to name a sentence"
    ):
        wordpieces.splitter(content)


def test_a_tokenizer_whose_unknown_piece_is_missing() -> None:
    content = json.loads(small_tokenizer.build().to_str())
    del content["model"]["vocab"]["[UNK]"]
    content["added_tokens"] = []
    broken = wordpieces.splitter(json.dumps(content))
    assert pieces_of(broken(pl.Series(["the"]))) == [["the"]]
    with pytest.raises(DataError, match=r"cannot split a text: .*Missing \[UNK\]"):
        broken(pl.Series(["zz"]))
