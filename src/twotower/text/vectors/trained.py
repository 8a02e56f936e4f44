"""Word vectors trained on the corpus itself: word2vec's skip-gram, by gensim.

In: the corpus's texts as lists of words. Out: a file in word2vec's binary format, most frequent
words first, of every word that occurs twice; words with a blank in them, as the blank among
characters, cannot be written in that format and are left out. The same texts and seed give the same
bytes on the same kind of processor: one thread trains.

Mikolov, Sutskever, Chen, Corrado and Dean: Distributed Representations of Words and Phrases and
their Compositionality, 2013.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from twotower.config import Vectors
from twotower.errors import DataError
from twotower.progress import progress
from twotower.text.vectors.binary import write_binary
from twotower.text.words import Words

MIN_COUNT = 2
NEGATIVES = 5
LONGEST_SENTENCE = 10_000
"""Of a longer one gensim would drop the rest."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Sentences:
    blocks: Iterable[Words]

    def __iter__(self) -> Iterator[list[str]]:
        for words in self.blocks:
            form_W = words.forms.to_numpy()
            for start, end in pairwise(words.store.offsets.tolist()):
                for part in range(start, end, LONGEST_SENTENCE):
                    ids = words.store.ids[part : min(part + LONGEST_SENTENCE, end)]
                    yield form_W[ids].tolist()


def sentences(blocks: Sequence[Words]) -> Iterable[list[str]]:
    """Give texts as lists of words, as often as they are gone through.

    An empty text gives none, a very long one several. The blocks, of text/words.py, stay in memory
    (4 bytes a word of text), as splitting texts takes longer than training on them.
    """
    return _Sentences(blocks)


def train(
    sentences: Iterable[list[str]],
    path: Path,
    settings: Vectors,
    seed: int,
) -> None:
    """Train vectors and write them to `path`; raises DataError.

    sentences: gone through settings.epochs + 1 times.
    """
    word2vec = _gensim()
    with _quiet():
        model = word2vec(
            vector_size=settings.width,
            window=settings.window,
            sg=1,
            hs=0,
            negative=NEGATIVES,
            min_count=MIN_COUNT,
            seed=seed,
            workers=1,
        )
        _fit(model, sentences, settings.epochs)
    words = model.wv.index_to_key
    rows = [row for row, word in enumerate(words) if not {" ", "\n"} & set(word)]
    write_binary(path, [words[row] for row in rows], model.wv.vectors[rows])
    log.info("%d words have vectors, trained on %d texts", len(rows), model.corpus_count)


def _gensim() -> Any:
    try:
        from gensim.models import Word2Vec
    except ImportError:
        raise DataError(
            'training word vectors needs the package gensim: pip install -e ".[word2vec]"'
        ) from None
    return Word2Vec


def _fit(model: Any, sentences: Iterable[list[str]], epochs: int) -> None:
    model.build_vocab(corpus_iterable=sentences)
    if not model.wv.key_to_index:
        raise DataError(f"no word occurs {MIN_COUNT} times: too little text to train vectors on")
    texts = model.corpus_count
    with progress(epochs * texts, "texts", "word vectors") as bar:
        model.train(corpus_iterable=_Shown(sentences, bar), total_examples=texts, epochs=epochs)


@dataclass(frozen=True)
class _Shown:
    """Sentences that move a bar as they are gone through."""

    sentences: Iterable[list[str]]
    bar: Any

    def __iter__(self) -> Iterator[list[str]]:
        for sentence in self.sentences:
            yield sentence
            self.bar.update(1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence gensim, which logs each of its steps, and warns of small corpora."""
    logger = logging.getLogger("gensim")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
