"""Word vectors for the embedded sample, made from its own texts by random indexing.

In: the sample's distinct passage texts and train queries. Out: a file in GloVe's text format
(``word v1 ... v50`` a line, no header), words by falling frequency.

Every word has an index vector of +1 and -1 derived from a hash of its letters. A word's vector is
its own index vector plus the index vectors of the words found near it, each weighted by meetings
over the root of both words' counts, so words of similar use come out similar, as GloVe's partly do
(random indexing: Kanerva, Kristofersson and Holst, 2000). All sums are of integers; the square
roots and divisions are single IEEE operations. No matrix product or decomposition is used, because
their rounding differs between processors, and the file must be the same on all of them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

DIM = 50
WINDOW = 5  # words on either side that count as near
LENGTH = 5.0  # of every vector; GloVe's are of about this length
SELF_WEIGHT = 96  # of a word's own index vector; two words that always meet weigh PAIR_SCALE
PAIR_SCALE = 1024
# Only words this frequent count as neighbours: names and numbers say nothing about a word's use,
# "the" and the full stop stand next to everything.
NEIGHBOUR_COUNTS = (80, 20_000)
UNLISTED_SHARE = 0.07  # of the words of at most UNLISTED_MOST occurrences
UNLISTED_MOST = 40
# Near enough to NLTK's words: numbers with their commas, hyphenated words, single punctuation.
WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:-\w+)*|[^\w\s]")

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def write_vectors(path: Path, texts: list[str], unlisted: list[str], extra: list[str]) -> None:
    """Write the vectors of the texts' words, without ``unlisted`` and some rare ones.

    ``extra`` words that no text uses follow at the end, as a real vector file has them too.
    """
    words, tokens, counts = _count_words(texts)
    used = set(words)
    unused = sorted({word.lower() for word in extra} - used)
    index = np.stack([_index_vector(word) for word in [*words, *unused]])
    sums = index * SELF_WEIGHT
    sums[: len(words)] += _neighbour_sums(tokens, counts, index)
    dropped = set(unlisted) | _dropped(words, counts)
    vectors = _at_length(sums)
    lines = (
        word + "".join(f" {value:.5f}" for value in vector)
        for word, vector in zip([*words, *unused], vectors.tolist(), strict=True)
        if word not in dropped
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(("\n".join(lines) + "\n").encode())


def _count_words(texts: Iterable[str]) -> tuple[list[str], Ints, Ints]:
    """Return the words by falling frequency (ties by letter), all tokens as word numbers, counts.

    WINDOW tokens of -1 follow each text, so that no word is near a word of another text.
    """
    tokenized = [WORD.findall(text.lower()) for text in texts]
    frequency = Counter(word for words in tokenized for word in words)
    words = sorted(frequency, key=lambda word: (-frequency[word], word))
    number = {word: at for at, word in enumerate(words)}
    gap = [-1] * WINDOW
    tokens = [at for found in tokenized for at in (*(number[word] for word in found), *gap)]
    counts = np.array([frequency[word] for word in words], dtype=np.int64)
    return words, np.array(tokens, dtype=np.int64), counts


def _index_vector(word: str) -> Ints:
    """Return the word's (DIM,) vector of +1 and -1, from the bits of a hash of its letters."""
    bits = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
    return np.array([(bits >> at & 1) * 2 - 1 for at in range(DIM)], dtype=np.int64)


def _neighbour_sums(tokens: Ints, counts: Ints, index: Ints) -> Ints:
    """Return (words, DIM) weighted sums of the index vectors of each word's neighbours."""
    size = len(counts)
    keys = []
    for distance in range(1, WINDOW + 1):
        left, right = tokens[:-distance], tokens[distance:]
        inside = (left >= 0) & (right >= 0)
        keys.append(left[inside] * size + right[inside])
    pairs, meetings = np.unique(np.concatenate(keys), return_counts=True)
    left, right = pairs // size, pairs % size
    # Dividing by the root of both counts keeps frequent neighbours from drowning all others.
    weight = np.floor(PAIR_SCALE * meetings / np.sqrt(counts[left] * counts[right]))
    telling = (counts >= NEIGHBOUR_COUNTS[0]) & (counts <= NEIGHBOUR_COUNTS[1])
    index = index[:size] * telling[:, None]
    sums = np.empty((size, DIM), dtype=np.int64)
    for dim in range(DIM):  # whole numbers far below 2**53: the float sums of bincount are exact
        column = index[:, dim].astype(np.float64)
        summed = np.bincount(left, weight * column[right], size)
        summed += np.bincount(right, weight * column[left], size)
        sums[:, dim] = summed.astype(np.int64)
    return sums


def _at_length(sums: Ints) -> Floats:
    """Scale each row to the Euclidean length LENGTH."""
    # The sum of squares is exact in int64; one root and one division follow, both exact IEEE.
    squares = np.maximum((sums * sums).sum(axis=1), 1)
    scaled: Floats = sums * LENGTH / np.sqrt(squares)[:, None]
    return scaled


def _dropped(words: list[str], counts: Ints) -> set[str]:
    """Return the rare words that the file leaves out, and all words of non-Latin letters."""
    rare = (word for word, count in zip(words, counts, strict=True) if count <= UNLISTED_MOST)
    share = int(UNLISTED_SHARE * 256)
    chosen = {
        word for word in rare if hashlib.blake2b(word.encode(), digest_size=1).digest()[0] < share
    }
    return chosen | {word for word in words if not word.isascii()}
