"""The vocabulary: which word has which id, and what is counted, worked by hand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest
import small_tokenizer
from hypothesis import given
from hypothesis import strategies as st

from twotower.artifacts import PAD, UNK, Corpus, Unit, Vocabulary
from twotower.config import Vocab
from twotower.errors import DataError
from twotower.text import vocabulary
from twotower.text.units import splitter
from twotower.text.vectors.readers import Vectors
from twotower.text.vocabulary import Reader
from twotower.text.words import blocks

PASSAGES = ["The cat sat", "the dog, the zyx", "cat zyx zyx qqq abc abc"]
QUERIES = [("the qqq rare", "train"), ("unseen cat", "dev"), ("unseen dog", "test")]
# "The" is never a word of lower-cased text; "zebra" is not in the corpus; the second cat is late.
LINES = [
    "zebra 9 9",
    "dog 1 0",
    "The 8 8",
    "the 0 1",
    "cat 2 2",
    "cat 7 7",
    "sat 1 1",
    "unseen 6 6",
]


WORDS = Unit("words", lower_case=True)
SPLIT = splitter(WORDS)


def corpus_of(passages: list[str], queries: list[tuple[str, str]]) -> Corpus:
    numbered = [(qid, *query) for qid, query in enumerate(queries)]
    return Corpus(
        passages=pl.DataFrame({"pid": range(len(passages)), "text": passages}),
        queries=pl.DataFrame(numbered, ["qid", "text", "split"], orient="row"),
        qrels=pl.DataFrame(),
        counts={},
    )


CORPUS = corpus_of(PASSAGES, QUERIES)


def reader(*lines: str) -> Reader:
    """A vector file of `word number number` lines, as the readers of vectors give it."""
    rows = [line.rsplit(" ", 2) for line in lines]

    def read(wanted: pl.Series) -> Vectors:
        assert wanted.n_unique() == len(wanted)
        assert not {"<pad>", "<unk>"} & set(wanted)
        first = {word: numbers for word, *numbers in reversed(rows)}
        found = [word for word in dict.fromkeys(row[0] for row in rows) if word in set(wanted)]
        vectors = np.array([first[word] for word in found], np.float32).reshape(-1, 2)
        repeated = sum(row[0] in found for row in rows) - len(found)
        return Vectors(pl.Series(found, dtype=pl.String), vectors, len(rows), repeated)

    return read


FILE = reader(*LINES)


def config(min_count: int, unit: str = "words", **changes: Any) -> Vocab:
    """Keep words from a count on; every word is an identity unless changes say otherwise."""
    plain = {"lower_case": True, "identity": "word", "stop_words": "keep", **changes}
    return Vocab(unit=unit, min_count=min_count, **plain)


def build(min_count: int = 2, read: Reader | None = FILE, **changes: Any) -> Vocabulary:
    return vocabulary.build(CORPUS, WORDS, read, 2, config(min_count, **changes))


def test_ids_are_pad_unk_then_the_files_order_then_by_count() -> None:
    built = build()
    assert built.words.rows() == [
        ("<pad>", 0, 0),
        ("<unk>", 2, 1),  # the comma of one passage, and `rare` of a query
        ("dog", 1, 1),
        ("the", 4, 2),  # once in a training query, which df leaves out
        ("cat", 2, 2),
        ("sat", 1, 1),
        ("zyx", 3, 2),
        ("abc", 2, 1),  # as often as qqq: by the alphabet
        ("qqq", 2, 1),
    ]
    assert built.words.schema == {"word": pl.String, "count": pl.Int64, "df": pl.Int64}
    assert (PAD, UNK) == (0, 1)
    assert built.unit == WORDS


def test_pad_is_zero_unk_the_mean_and_the_first_of_two_vectors_wins() -> None:
    vectors = build().pretrained_VE
    assert vectors.tolist() == [[0, 0], [1, 1], [1, 0], [0, 1], [2, 2], [1, 1]]
    assert vectors.dtype == "float32"


def test_counts_by_hand() -> None:
    assert build().counts == {
        "passages": 3,
        "words_in_corpus": 9,  # abc cat dog qqq rare sat the zyx and the comma
        "words_in_vector_file": 8,
        "words_repeated_in_vector_file": 1,
        "words_with_vector": 4,
        "words_kept_without_vector": 3,
        "tokens_in_corpus": 17,  # 14 of the passages and 3 of the training query
        "tokens_without_vector": 9,  # zyx 3, abc 2, qqq 2, the comma and rare
        "tokens_unknown": 2,
        "identities": 7,  # dog the cat sat zyx abc qqq
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [0, 0, 1, 2, 3, 4, 5, 6, 7]),
        ({"stop_words": "drop"}, [0, 0, 1, 0, 2, 3, 4, 5, 6]),  # "the"
        ({"identity": "stem"}, [0, 0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_identities_follow_the_words(changes: dict[str, str], expected: list[int]) -> None:
    built = build(**changes)
    assert built.identity_W.tolist() == expected
    assert built.counts["identities"] == max(expected)


def test_words_of_one_stem_are_one_identity() -> None:
    corpus = corpus_of(["cats sat", "cat cats"], [("cat", "train")])
    for identity, expected in (("stem", [0, 0, 1, 1, 2]), ("word", [0, 0, 1, 2, 3])):
        built = vocabulary.build(corpus, WORDS, None, 2, config(1, identity=identity))
        assert built.words["word"].to_list()[2:] == ["cat", "cats", "sat"]
        assert built.identity_W.tolist() == expected
        assert built.counts["identities"] == max(expected)


@pytest.mark.parametrize(
    ("min_count", "kept", "unknown"),
    [
        (0, [], (9, 5)),
        (1, ["zyx", "abc", "qqq", ",", "rare"], (0, 0)),
        (3, ["zyx"], (6, 3)),
        (4, [], (9, 5)),
    ],
)
def test_words_without_vector(min_count: int, kept: list[str], unknown: tuple[int, int]) -> None:
    built = build(min_count)
    assert built.words["word"].to_list()[6:] == kept
    assert built.words.row(UNK) == ("<unk>", *unknown)
    assert (built.counts["tokens_without_vector"], built.counts["tokens_unknown"]) == (
        9,
        unknown[0],
    )


def test_dev_and_test_queries_give_no_words() -> None:
    assert "unseen" not in build(min_count=1).words["word"]


def test_the_texts_that_count() -> None:
    assert vocabulary.counted_texts(CORPUS).to_list() == [*PASSAGES, "the qqq rare"]


def test_a_vector_file_of_other_words() -> None:
    with pytest.raises(
        DataError,
        match=r"no word of the corpus \('the', 'zyx', 'abc'\): .* vocab.unit: words, .* true$",
    ):
        build(read=reader("zebra 9 9"))


def test_without_vectors_every_word_is_kept_by_its_count() -> None:
    built = build(min_count=2, read=None)
    assert built.words["word"].to_list() == ["<pad>", "<unk>", "the", "zyx", "abc", "cat", "qqq"]
    assert built.words.row(UNK) == ("<unk>", 4, 3)  # the comma, dog, sat, and rare in no passage
    assert (built.pretrained_VE.tolist(), built.pretrained_VE.dtype) == (
        [[0, 0], [0, 0]],
        "float32",
    )
    names = ("in_corpus", "without_vector", "unknown")
    assert [built.counts[f"tokens_{name}"] for name in names] == [17, 17, 4]
    assert [built.counts[f"words_{name}"] for name in ("with_vector", "in_vector_file")] == [0, 0]


@pytest.mark.parametrize("min_count", [0, 5])
def test_without_vectors_no_word_may_be_frequent_enough(min_count: int) -> None:
    with pytest.raises(
        DataError, match=f"vocab.min_count: {min_count} keeps none .* most frequent occurs 4 time"
    ):
        build(min_count, read=None)


def test_text_that_is_spelt_like_a_special_word_is_unknown() -> None:
    """Pieces of a tokenizer whose own special tokens are spelt as ours; and the file has them."""
    content = small_tokenizer.build("<pad>", "<unk>").to_str()
    corpus = corpus_of(["<pad> <unk> the", "<pad> zz cats <pad>"], [("<unk> the", "train")])
    read = reader("<pad> 8 8", "<unk> 8 8", "##s 1 2", "[UNK] 8 8", "the 3 4")
    unit = Unit("wordpieces", lower_case=True, tokenizer=content)
    built = vocabulary.build(corpus, unit, read, 2, config(1, "wordpieces"))
    assert built.words.rows() == [
        ("<pad>", 0, 0),
        ("<unk>", 6, 4),  # <pad> three times, <unk> twice and zz; <unk> and zz are one form here
        ("##s", 1, 1),
        ("the", 2, 1),
        ("cat", 1, 1),
    ]
    assert built.pretrained_VE.tolist() == [[0, 0], [2, 3], [1, 2], [3, 4]]
    assert built.counts["words_in_corpus"] == 3
    assert built.counts["tokens_in_corpus"] == 10
    assert built.counts["tokens_without_vector"] == 7
    assert built.counts["tokens_unknown"] == 6


def test_word_pieces_of_unknown_text_alone() -> None:
    unit = Unit("wordpieces", lower_case=True, tokenizer=small_tokenizer.build().to_str())
    corpus = corpus_of(["zz qq"], [("qq", "train")])
    with pytest.raises(DataError, match="no word of the corpus \\(all <unk>\\)"):
        vocabulary.build(corpus, unit, reader("the 1 2"), 2, config(1, "wordpieces"))
    with pytest.raises(DataError, match="most frequent occurs 0 time"):
        vocabulary.build(corpus, unit, None, 2, config(1, "wordpieces"))


def test_characters_by_hand() -> None:
    corpus = corpus_of(["Ab ba", "a<pad>"], [("b c", "train")])
    unit = Unit("characters", lower_case=False)
    kept = config(2, "characters", lower_case=False)
    built = vocabulary.build(corpus, unit, reader("b 1 2"), 2, kept)
    assert built.words.rows() == [
        ("<pad>", 0, 0),
        ("<unk>", 6, 5),  # A < p d > c
        ("b", 3, 1),
        ("a", 3, 2),
        (" ", 2, 1),
    ]


TEXTS = st.lists(st.lists(st.sampled_from("abcd"), max_size=5).map(" ".join), max_size=6)


@given(TEXTS, TEXTS, st.integers(1, 40), st.sampled_from([0, 3, 10**6]))
def test_count_words_equals_a_slow_count(
    passages: list[str], others: list[str], size: int, merge_rows: int
) -> None:
    columns = [pl.Series(texts, dtype=pl.String) for texts in (["a", *passages], others)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "MERGE_ROWS", merge_rows)
        counted = vocabulary.count_words(*(blocks(column, SPLIT, size) for column in columns))
    count = Counter(word for text in ["a", *passages, *others] for word in text.split())
    df = Counter(word for text in ["a", *passages] for word in set(text.split()))
    assert {word: (n, d) for word, n, d in counted.rows()} == {w: (count[w], df[w]) for w in count}
    assert len(counted) == len(count)
