"""Characters are exactly the code points of the normalised text: none is lost, none is added."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.text.characters import split_characters
from twotower.text.words import Words, normalised


def characters(texts: list[str], *, lower_case: bool) -> Words:
    return split_characters(pl.Series(texts, dtype=pl.String), lower_case=lower_case)


def texts_of(words: Words) -> list[list[str]]:
    forms, offsets = words.forms.to_list(), words.store.offsets.tolist()
    flat = [forms[row] for row in words.store.ids]
    return [flat[start:end] for start, end in pairwise(offsets)]


def test_by_hand() -> None:
    words = characters([" Ab  a\n", "", "é😀\x00B"], lower_case=False)
    assert texts_of(words) == [["A", "b", " ", "a"], [], ["é", "😀", " ", "B"]]
    assert words.forms.to_list() == [" ", "A", "B", "a", "b", "é", "😀"]
    assert words.store.ids.tolist() == [1, 4, 0, 3, 5, 6, 0, 2]
    assert words.store.offsets.tolist() == [0, 4, 4, 8]
    assert (words.store.ids.dtype, words.store.offsets.dtype) == ("int32", "int64")


def test_lower_case_may_lengthen_a_text() -> None:
    assert texts_of(characters(["İA", "A"], lower_case=True)) == [["i", "\u0307", "a"], ["a"]]


@pytest.mark.parametrize("texts", [[], ["", " "]])
def test_nothing_to_split(texts: list[str]) -> None:
    words = characters(texts, lower_case=True)
    assert (len(words.forms), len(words.store.ids), len(words.store)) == (0, 0, len(texts))


# Up to U+0FFF where case matters: of later characters polars and Python may know other capitals.
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]))).map(lambda texts: (texts, False))
    | st.lists(st.text(st.characters(max_codepoint=0xFFF))).map(lambda texts: (texts, True))
)
def test_equals_pythons_list_of_the_text(drawn: tuple[list[str], bool]) -> None:
    texts, lower_case = drawn
    table = pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)})
    clean = table.select(normalised(pl.col("text")))["text"]
    words = characters(texts, lower_case=lower_case)
    assert texts_of(words) == [list(text.lower() if lower_case else text) for text in clean]
    assert words.forms.n_unique() == len(words.forms) == len(set(words.store.ids))
