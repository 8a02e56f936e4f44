"""The vocabulary: which words have an id, and what is known of each.

Ids: 0 `<pad>` (zeros; never part of a text), 1 `<unk>` (mean vector), then the corpus's words that
the vector file has, in that file's order, then corpus words that it lacks, most frequent first.
The corpus is the passages and the training queries: what a deployed system would know.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from twotower.artifacts import UNK, Corpus, Vocabulary
from twotower.errors import DataError
from twotower.text.vectors import Vectors, read_glove
from twotower.text.words import Words, blocks

SPECIAL = ["<pad>", "<unk>"]


def build(corpus: Corpus, vectors_folder: Path, width: int, min_count: int) -> Vocabulary:
    """Count the corpus's words, read the vectors they have, and give each kept word an id.

    width: numbers a vector; min_count: from how many occurrences on a word without vector is kept
    (0: never). Raises DataError if the vector file has no word of the corpus.
    """
    train = corpus.queries.filter(pl.col("split") == "train")["text"]
    counts = count_words(blocks(corpus.passages["text"]), blocks(train))
    vectors = read_glove(vectors_folder, width, counts["word"])
    if vectors.words.is_empty():
        raise DataError(f"{vectors_folder}: the vector file has no word of the corpus")
    lacking = counts.join(vectors.words.to_frame(), on="word", how="anti")
    kept = lacking.filter((pl.col("count") >= min_count) & (min_count > 0))
    kept = kept.sort("count", "word", descending=[True, False])
    words = pl.concat([pl.Series("word", SPECIAL), vectors.words, kept["word"]]).to_frame()
    words = words.join(counts, on="word", how="left", maintain_order="left")
    words = words.with_columns(pl.col("count", "df").fill_null(0))
    unknown = _lost(counts, words)
    words = words.with_columns(
        pl.when(pl.col("word") == SPECIAL[UNK]).then(unknown[name]).otherwise(name).alias(name)
        for name in ("count", "df")
    )
    return Vocabulary(words, _with_special(vectors), _counts(corpus, counts, vectors, words))


def _lost(counts: pl.DataFrame, words: pl.DataFrame) -> dict[str, int]:
    """Sum the words without an id: what `<unk>` stands for; its df is an upper bound."""
    lost = counts.join(words, on="word", how="anti")
    return {name: int(lost[name].sum()) for name in ("count", "df")}


def _with_special(vectors: Vectors) -> np.ndarray:
    special = np.zeros((len(SPECIAL), vectors.vectors_WE.shape[1]), np.float32)
    special[UNK] = vectors.vectors_WE.mean(axis=0, dtype=np.float64)
    return np.concatenate([special, vectors.vectors_WE])


def _counts(
    corpus: Corpus, counts: pl.DataFrame, vectors: Vectors, words: pl.DataFrame
) -> dict[str, int]:
    return {
        "passages": len(corpus.passages),
        "words_in_corpus": len(counts),
        "words_in_vector_file": vectors.words_in_file,
        "words_repeated_in_vector_file": vectors.repeated,
        "words_with_vector": len(vectors.words),
        "words_kept_without_vector": len(words) - len(vectors.words) - len(SPECIAL),
    }


def count_words(passages: Iterable[Words], others: Iterable[Words]) -> pl.DataFrame:
    """Count words: word, count (occurrences in all texts), df (passages that hold it)."""
    tables = [_count_block(words) for words in passages]
    tables += [_count_block(words).with_columns(df=pl.lit(0, pl.Int64)) for words in others]
    return pl.concat(tables).group_by("word", maintain_order=True).agg(pl.all().sum())


def _count_block(words: Words) -> pl.DataFrame:
    store, forms = words.store, len(words.forms)
    text_of_token = np.repeat(np.arange(len(store)), store.lengths)
    pairs = np.unique(text_of_token * forms + store.ids)
    return pl.DataFrame(
        {
            "word": words.forms,
            "count": np.bincount(store.ids, minlength=forms),
            "df": np.bincount(pairs % forms, minlength=forms),
        }
    )
