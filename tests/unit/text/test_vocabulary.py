"""The vocabulary: which word has which id, and what is counted, worked by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.artifacts import PAD, UNK, Corpus, Vocabulary
from twotower.errors import DataError
from twotower.text import vocabulary
from twotower.text.words import blocks

PASSAGES = ["The cat sat", "the dog, the zyx", "cat zyx zyx qqq abc abc"]
QUERIES = [("the qqq rare", "train"), ("unseen cat", "dev"), ("unseen dog", "test")]
# "The" is never a word of lower-cased text; "zebra" is not in the corpus; the second cat is late.
FILE = "zebra 9 9\ndog 1 0\nThe 8 8\nthe 0 1\ncat 2 2\ncat 7 7\nsat 1 1\nunseen 6 6\n"


@pytest.fixture
def corpus() -> Corpus:
    queries = [(qid, *query) for qid, query in enumerate(QUERIES)]
    return Corpus(
        passages=pl.DataFrame({"pid": range(len(PASSAGES)), "text": PASSAGES}),
        queries=pl.DataFrame(queries, ["qid", "text", "split"], orient="row"),
        qrels=pl.DataFrame(),
        counts={},
    )


def build(corpus: Corpus, folder: Path, min_count: int = 2, content: str = FILE) -> Vocabulary:
    (folder / "v.txt").write_text(content)
    return vocabulary.build(corpus, folder, 2, min_count)


def test_ids_are_pad_unk_then_the_files_order_then_by_count(corpus: Corpus, tmp_path: Path) -> None:
    built = build(corpus, tmp_path)
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
    assert (PAD, UNK) == (0, 1)


def test_pad_is_zero_unk_the_mean_and_the_first_of_two_vectors_wins(
    corpus: Corpus, tmp_path: Path
) -> None:
    vectors = build(corpus, tmp_path).pretrained_VE
    assert vectors.tolist() == [[0, 0], [1, 1], [1, 0], [0, 1], [2, 2], [1, 1]]
    assert vectors.dtype == "float32"


def test_counts_by_hand(corpus: Corpus, tmp_path: Path) -> None:
    assert build(corpus, tmp_path).counts == {
        "passages": 3,
        "words_in_corpus": 9,  # abc cat dog qqq rare sat the zyx and the comma
        "words_in_vector_file": 8,
        "words_repeated_in_vector_file": 1,
        "words_with_vector": 4,
        "words_kept_without_vector": 3,
    }


@pytest.mark.parametrize(
    ("min_count", "kept", "unknown"),
    [
        (0, [], (9, 5)),
        (1, ["zyx", "abc", "qqq", ",", "rare"], (0, 0)),
        (3, ["zyx"], (6, 3)),
        (4, [], (9, 5)),
    ],
)
def test_words_without_vector(
    corpus: Corpus, tmp_path: Path, min_count: int, kept: list[str], unknown: tuple[int, int]
) -> None:
    words = build(corpus, tmp_path, min_count).words
    assert words["word"].to_list()[6:] == kept
    assert words.row(UNK) == ("<unk>", *unknown)


def test_dev_and_test_queries_give_no_words(corpus: Corpus, tmp_path: Path) -> None:
    assert "unseen" not in build(corpus, tmp_path, min_count=1).words["word"]


def test_a_vector_file_of_other_words(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the vector file has no word of the corpus"):
        build(corpus, tmp_path, content="zebra 9 9\n")


TEXTS = st.lists(st.lists(st.sampled_from("abcd"), max_size=5).map(" ".join), max_size=6)


@given(passages=TEXTS, others=TEXTS, size=st.integers(1, 7))
def test_count_words_equals_a_slow_count(passages: list[str], others: list[str], size: int) -> None:
    columns = [pl.Series(texts, dtype=pl.String) for texts in (["a", *passages], others)]
    counted = vocabulary.count_words(*(blocks(column, size) for column in columns))
    count = Counter(word for text in ["a", *passages, *others] for word in text.split())
    df = Counter(word for text in ["a", *passages] for word in set(text.split()))
    assert {word: (n, d) for word, n, d in counted.rows()} == {w: (count[w], df[w]) for w in count}
    assert len(counted) == len(count)
