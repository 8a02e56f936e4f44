"""Words are exactly NLTK's, though the work is shared between texts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.tokenize import NLTKWordTokenizer

from twotower.text.words import Words, blocks, normalised, split_words

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


def nltk_words(texts: pl.Series) -> list[list[str]]:
    """The slow reference: one normalised text after the other."""
    clean = texts.rename("text").to_frame().select(normalised(pl.col("text"))).to_series()
    return [NLTKWordTokenizer().tokenize(text.lower()) for text in clean]


def series(texts: list[str]) -> pl.Series:
    return pl.Series(texts, dtype=pl.String)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_alone(text: str) -> None:
    assert words_of(split_words(series([text]))) == nltk_words(series([text]))


def test_texts_together() -> None:
    assert words_of(split_words(series(TEXTS))) == nltk_words(series(TEXTS))


def test_by_hand() -> None:
    texts = series(['He said "no." ', "\t\n", "I  can't.\x00)"])
    assert words_of(split_words(texts)) == [
        ["he", "said", "``", "no", ".", "''"],
        [],
        ["i", "ca", "n't", ".", ")"],
    ]


def test_every_distinct_word_stands_once_in_order_of_appearance() -> None:
    words = split_words(series(["B a", "c A b"]))
    assert words.forms.to_list() == ["b", "a", "c"]
    assert words.store.ids.tolist() == [0, 1, 2, 1, 0]
    assert words.store.offsets.tolist() == [0, 2, 5]


def test_a_block_that_uses_every_common_private_character() -> None:
    texts = series([PRIVATE_USE, "a b."])
    assert words_of(split_words(texts)) == nltk_words(texts)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_block_size_does_not_matter(size: int) -> None:
    texts = series(TEXTS)
    together = words_of(split_words(texts))
    assert [text for block in blocks(texts, size) for text in words_of(block)] == together


@pytest.mark.parametrize("pieces", [1, 3])
def test_the_number_of_pieces_a_turn_does_not_matter(
    pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twotower.text.words.NLTK_PIECES", pieces)
    assert words_of(split_words(series(TEXTS))) == nltk_words(series(TEXTS))


def test_no_text_gives_no_block() -> None:
    assert list(blocks(series([]))) == []


SPECIAL = st.sampled_from([*" .,:;'\"`)]}>»”’“‘…-?!\n\x85\ue000İ\u0301", "''", "``", "n't", "'s"])
ORDINARY = st.sampled_from([*"aAs1é😀(<&", "cannot", "gonna", "'tis", "d'ye", "more'n", "Σ"])
# Up to U+0FFF: of later characters polars and an older Python may know different capitals.
ANY = st.characters(max_codepoint=0xFFF)
TEXT = st.lists(SPECIAL | SPECIAL | SPECIAL | ORDINARY | ANY, max_size=12).map("".join)


@settings(max_examples=400)
@given(st.lists(TEXT, max_size=6))
def test_equals_nltk_on_odd_texts(texts: list[str]) -> None:
    assert words_of(split_words(series(texts))) == nltk_words(series(texts))


@pytest.mark.slice
@pytest.mark.slow
def test_equals_nltk_on_the_whole_real_collection(slice_folder: Path) -> None:
    texts = pl.read_csv(
        slice_folder / "msmarco-slice" / "collection.tsv.gz",
        separator="\t",
        quote_char=None,
        has_header=False,
        new_columns=["pid", "text"],
    )["text"]
    assert len(texts) > 100_000
    for start in range(0, len(texts), 20_000):
        some = texts.slice(start, 20_000)
        assert words_of(split_words(some)) == nltk_words(some)
