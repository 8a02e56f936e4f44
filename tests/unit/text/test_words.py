"""Words are exactly NLTK's, though the work is shared between texts."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.tokenize import NLTKWordTokenizer

from twotower.text.words import Words, blocks, compact, normalised, split_words

PRIVATE_USE = "".join(map(chr, range(0xE000, 0xF900)))
TEXTS = [
    # nothing, and hardly anything
    *["", " ", "\t\n", ".", ",", "'", '"', "''", "``", "a", "…", ")", "”", "\ue000", "İ"],
    # quotes that open a text, and quotes that do not
    *['"Yes," he said.', "'Yes,' he said.", "''Yes'' he said", "``Yes'' he said", '" a', "' a"],
    *['say "yes" now', 'say("yes")', "say ''yes'' now", "“Yes,” he said.", "‘Yes’ he", "„So“"],
    *["«Oui.»", "'tis so", "'twas", '"\'tis so."', ' "after blanks"', "'s"],
    *["\"''a b", "\"''", '""a b', '"" a', '"`` a', "''\"a b", "say \"''a b", "'\"a\"' b"],
    # what may follow the final period
    *["The end.", 'The end."', "The end.)", "The end. )", "The end. ) ' x", "The end .", "x . )"],
    *["The end.''", "(The end.)”", "The end.' ”", "The end. ] ) } > \" ' » ” ’", "a. b.", "a.b."],
    *["The end...", "The end ...", "The end.. )", "... and", "wait...what", "U.S.", "U.S. )"],
    # nothing but closers, and closers behind blanks
    *[") ) )", "\" '", "' \"", "”’", "»”’ )", ". . .", ") .", "' .", "'. '", "x ' )", "x , )"],
    # contractions and apostrophes
    *["cannot", "I cannot.", "gonna go", "gotta", "gimme", "lemme", "wanna", "d'ye know", "more'n"],
    *["more'n me", "don't", "DON'T STOP", "it's", "they'll", "we've", "dogs' tails", "the dogs'"],
    *["rock 'n' roll", "o'clock", "'90s", "can't've", "n't", "x'll y", "whaddya", "tain't"],
    *["the cat's'", "the cat's' x", "they'll'", "can't'", "a'd''", "x'm' )", "o's']"],
    # colons and commas before digits and at the end
    *["at 10:30, say", "a:b", "a: b", "1,000,000", "a,b", "end,", "end:", "1:", "1: ", ":1", ",,"],
    # dashes, symbols, brackets
    *["a--b", "--", "a – b", "5 % & $3 #4 @x *y*", "<b>bold</b>", "[1] {2} (3)", "a;b?c!"],
    # other scripts, combining characters, emoji, odd blanks, control characters
    *[
        "ΟΔΟΣ ΟΔΟΣ.",
        "İstanbul",
        "STRAßE",
        "e\u0301té",
        "👩‍👩‍👧 ok.",
        "日本語。",
        "a\u00a0b.",
        "a\u2028b",
    ],
    *["a\x00b", "a\x85b.", "a\x1c.", "\ufeffa", "a\u200bb", "\ue000 \ue001.", "a\ue000b \ue000"],
]


def words_of(words: Words) -> list[list[str]]:
    forms, offsets = words.forms.to_list(), words.store.offsets.tolist()
    flat = [forms[row] for row in words.store.ids]
    return [flat[start:end] for start, end in pairwise(offsets)]


def nltk_words(texts: pl.Series, *, lower_case: bool) -> list[list[str]]:
    """The slow reference: one normalised text after the other."""
    clean = texts.rename("text").to_frame().select(normalised(pl.col("text"))).to_series()
    tokenize = NLTKWordTokenizer().tokenize
    return [tokenize(text.lower() if lower_case else text) for text in clean]


def check(texts: pl.Series, *, lower_case: bool) -> None:
    found = words_of(split_words(texts, lower_case=lower_case))
    assert found == nltk_words(texts, lower_case=lower_case)


def series(texts: list[str]) -> pl.Series:
    return pl.Series(texts, dtype=pl.String)


BOTH = pytest.mark.parametrize("lower_case", [True, False])


@BOTH
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_alone(text: str, lower_case: bool) -> None:
    check(series([text]), lower_case=lower_case)


@BOTH
def test_texts_together(lower_case: bool) -> None:
    check(series(TEXTS), lower_case=lower_case)


def test_by_hand() -> None:
    texts = series(['He said "no." ', "\t\n", "I  can't.\x00)"])
    lower = [["he", "said", "``", "no", ".", "''"], [], ["i", "ca", "n't", ".", ")"]]
    assert words_of(split_words(texts, lower_case=True)) == lower
    as_is = [["He", "said", "``", "no", ".", "''"], [], ["I", "ca", "n't", ".", ")"]]
    assert words_of(split_words(texts, lower_case=False)) == as_is


def test_every_distinct_word_stands_once_in_order_of_appearance() -> None:
    words = split_words(series(["B a", "c A b"]), lower_case=True)
    assert words.forms.to_list() == ["b", "a", "c"]
    assert words.store.ids.tolist() == [0, 1, 2, 1, 0]
    assert words.store.offsets.tolist() == [0, 2, 5]
    assert (words.store.ids.dtype, words.store.offsets.dtype) == ("int32", "int64")


def test_a_block_that_uses_every_common_private_character() -> None:
    check(series([PRIVATE_USE, "a b."]), lower_case=True)


@BOTH
@pytest.mark.parametrize("size", [1, 20, 100, 10_000])
def test_block_size_does_not_matter(size: int, lower_case: bool) -> None:
    texts, split = series(TEXTS), partial(split_words, lower_case=lower_case)
    together = words_of(split(texts))
    assert [text for block in blocks(texts, split, size) for text in words_of(block)] == together


@given(st.lists(st.text("aé", max_size=9), max_size=30), st.integers(1, 40))
def test_blocks_are_bounded_and_lose_no_text(texts: list[str], size: int) -> None:
    seen: list[list[str]] = []

    def note(block: pl.Series) -> Words:
        seen.append(block.to_list())
        return split_words(block, lower_case=True)

    assert len(list(blocks(series(texts), note, size))) == len(seen)
    assert [text for block in seen for text in block] == texts
    for block in seen:
        assert block, "an empty block"
        assert sum(len(text.encode()) + 1 for text in block[:-1]) < size


@pytest.mark.parametrize("pieces", [1, 3])
def test_the_number_of_pieces_a_turn_does_not_matter(
    pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twotower.text.words.NLTK_PIECES", pieces)
    check(series(TEXTS), lower_case=True)


def test_no_text_gives_no_block() -> None:
    assert list(blocks(series([]), partial(split_words, lower_case=True))) == []


@given(st.lists(st.integers(0, 9), max_size=20))
def test_compact_equals_numpys_unique(values: list[int]) -> None:
    found = compact(np.array(values, np.uint32), 10)
    expected = np.unique(np.array(values, np.uint32), return_inverse=True)
    assert [part.tolist() for part in found] == [part.tolist() for part in expected]


SPECIAL = st.sampled_from([*" .,:;'\"`)]}>»”’“‘…-?!\n\x85\ue000İ\u0301", "''", "``", "n't", "'s"])
ORDINARY = st.sampled_from([*"aAs1é😀(<&", "cannot", "gonna", "'tis", "d'ye", "more'n", "Σ"])
# Up to U+0FFF: of later characters polars and an older Python may know different capitals.
ANY = st.characters(max_codepoint=0xFFF)
TEXT = st.lists(SPECIAL | SPECIAL | SPECIAL | ORDINARY | ANY, max_size=12).map("".join)


@settings(max_examples=400)
@given(st.lists(TEXT, max_size=6), st.booleans())
def test_equals_nltk_on_odd_texts(texts: list[str], lower_case: bool) -> None:
    check(series(texts), lower_case=lower_case)


@pytest.mark.slice
@pytest.mark.slow
@BOTH
def test_equals_nltk_on_the_whole_real_collection(slice_folder: Path, lower_case: bool) -> None:
    texts = pl.read_csv(
        slice_folder / "msmarco-slice" / "collection.tsv.gz",
        separator="\t",
        quote_char=None,
        has_header=False,
        new_columns=["pid", "text"],
    )["text"]
    assert len(texts) > 100_000
    step = 20_000 if lower_case else 100_000  # the default on all, the other on a fifth
    for start in range(0, len(texts), step):
        check(texts.slice(start, 20_000), lower_case=lower_case)
