"""The vocabulary: which words have an id, and what is known of each.

Ids: 0 `<pad>` (zeros; never part of a text), 1 `<unk>` (mean vector), then the corpus's words that
the vector file has, in that file's order, then corpus words that it lacks, most frequent first.
The corpus is the passages and the training queries: what a deployed system would know. A "word" is
whatever the unit makes of text, so it may be a word piece or a character.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

import numpy as np
import polars as pl

from twotower.artifacts import SPECIAL, UNK, Corpus, Unit, Vocabulary
from twotower.config import Vocab
from twotower.errors import DataError
from twotower.text.identities import NONE, identities
from twotower.text.units import splitter
from twotower.text.vectors.readers import Vectors
from twotower.text.words import Words, blocks

Reader = Callable[[pl.Series], Vectors]
"""Gives the vectors of the wanted words, and of no others."""
MERGE_ROWS = 2_000_000
NO_COUNTS = pl.DataFrame(schema={"word": pl.String, "count": pl.Int64, "df": pl.Int64})


def counted_texts(corpus: Corpus) -> pl.Series:
    """Give the texts that decide the vocabulary: the passages, then the training queries."""
    return pl.concat([corpus.passages["text"], _training_queries(corpus)])


def _training_queries(corpus: Corpus) -> pl.Series:
    return corpus.queries.filter(pl.col("split") == "train")["text"]


def build(corpus: Corpus, unit: Unit, read: Reader | None, width: int, config: Vocab) -> Vocabulary:
    """Count the corpus's words, read the vectors they have, and give each kept word an id.

    read: None if there are no vectors; then every word is without one, `<unk>` included (zeros).
    width: numbers a vector. Raises DataError if no word of the corpus has a vector, or would get an
    id.
    """
    min_count = config.min_count
    split = splitter(unit)
    texts = (corpus.passages["text"], _training_queries(corpus))
    counted = count_words(*(blocks(column, split) for column in texts))
    ordinary = counted.filter(~pl.col("word").is_in(SPECIAL))
    vectors = read(ordinary["word"]) if read else _no_vectors(width)
    if read and vectors.words.is_empty():
        raise DataError(_strangers(ordinary, unit))
    words = _give_ids(counted, ordinary, vectors, min_count)
    if len(words) == len(SPECIAL):
        raise DataError(_none_kept(ordinary, min_count))
    identity_W = identities(
        words["word"], stem=config.identity == "stem", drop=config.stop_words == "drop"
    )
    counts = _counts(corpus, ordinary, vectors, words)
    counts["identities"] = int(identity_W.max(initial=NONE))
    return Vocabulary(words, identity_W, _with_special(vectors), counts, unit)


def _no_vectors(width: int) -> Vectors:
    none = pl.Series("word", [], dtype=pl.String)
    return Vectors(none, np.empty((0, width), np.float32), words_in_file=0, repeated=0)


def _strangers(ordinary: pl.DataFrame, unit: Unit) -> str:
    some = ordinary.sort("count", "word", descending=[True, False])["word"].head(3).to_list()
    return (
        f"the vector file has no word of the corpus ({', '.join(map(repr, some)) or 'all <unk>'}): "
        f"its words must be of the same language, of vocab.unit: {unit.name}, and spelt as with "
        f"vocab.lower_case: {str(unit.lower_case).lower()}"
    )


def _none_kept(ordinary: pl.DataFrame, min_count: int) -> str:
    largest = max(ordinary["count"], default=0)
    return (
        f"no word of the corpus gets an id: there are no vectors, and vocab.min_count: {min_count} "
        f"keeps none of them; the most frequent occurs {largest} time(s), so set it from 1 to that"
    )


def _give_ids(
    counts: pl.DataFrame, ordinary: pl.DataFrame, vectors: Vectors, min_count: int
) -> pl.DataFrame:
    """Give the table of words: row i has id i; `<unk>` has the sums of all that are left out.

    Its df is an upper bound: a passage counts once for each left-out word. Text that is spelt like
    a special word is among them, whatever its count.
    """
    with_vector = vectors.words.rename("word").to_frame()
    lacking = ordinary.join(with_vector, on="word", how="anti")
    kept = lacking.filter((pl.col("count") >= min_count) & (min_count > 0))
    kept = kept.sort("count", "word", descending=[True, False])
    found = with_vector.join(ordinary, on="word", how="left", maintain_order="left")
    known = pl.concat([found, kept])
    lost = counts.join(known, on="word", how="anti").select(pl.col("count", "df").sum()).row(0)
    special = [(word, *(lost if row == UNK else (0, 0))) for row, word in enumerate(SPECIAL)]
    return pl.concat([pl.DataFrame(special, NO_COUNTS.schema, orient="row"), known])


def _with_special(vectors: Vectors) -> np.ndarray:
    special = np.zeros((len(SPECIAL), vectors.vectors_WE.shape[1]), np.float32)
    if len(vectors.words):
        special[UNK] = vectors.vectors_WE.mean(axis=0, dtype=np.float64)
    return np.concatenate([special, vectors.vectors_WE])


def _counts(
    corpus: Corpus, ordinary: pl.DataFrame, vectors: Vectors, words: pl.DataFrame
) -> dict[str, int]:
    """Count words, and tokens: the words of all texts, each as often as it stands there."""
    tokens = int(words["count"].sum())
    with_vector = words["count"].slice(len(SPECIAL), len(vectors.words))
    return {
        "passages": len(corpus.passages),
        "words_in_corpus": len(ordinary),
        "words_in_vector_file": vectors.words_in_file,
        "words_repeated_in_vector_file": vectors.repeated,
        "words_with_vector": len(vectors.words),
        "words_kept_without_vector": len(words) - len(vectors.words) - len(SPECIAL),
        "tokens_in_corpus": tokens,
        "tokens_without_vector": tokens - int(with_vector.sum()),
        "tokens_unknown": int(words["count"][UNK]),
    }


def count_words(passages: Iterable[Words], others: Iterable[Words]) -> pl.DataFrame:
    """Count words: word, count (occurrences in all texts), df (passages that hold it)."""
    of_others = (_count_block(words).with_columns(df=pl.lit(0, pl.Int64)) for words in others)
    total, waiting = NO_COUNTS, []
    for table in chain(map(_count_block, passages), of_others):
        waiting.append(table)
        # Merged now and then, rarely enough to be cheap: memory follows the distinct words.
        if sum(map(len, waiting)) > max(len(total), MERGE_ROWS):
            total, waiting = _sum([total, *waiting]), []
    return _sum([total, *waiting])


def _sum(tables: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(tables).group_by("word", maintain_order=True).agg(pl.all().sum())


def _count_block(words: Words) -> pl.DataFrame:
    store, forms = words.store, len(words.forms)
    text_of_token = np.repeat(np.arange(len(store)), store.lengths)
    pairs = pl.Series(text_of_token * forms + store.ids).unique().to_numpy()
    return pl.DataFrame(
        {
            "word": words.forms,
            "count": np.bincount(store.ids, minlength=forms),
            "df": np.bincount(pairs % max(forms, 1), minlength=forms),
        }
    )
