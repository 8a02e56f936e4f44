"""A trained model folder as an encoder of texts: nothing else of the pipeline is needed.

    encoder = TextEncoder.load("data/model")
    queries_QD = encoder.encode_queries(["how tall is mount example"])
    documents_ND = encoder.encode_documents(["Mount Example rises to 2,034 metres."])
    scores_QN = encoder.similarity(queries_QD, documents_ND)

Q queries, N documents (passages), D width of a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch

from twotower import devices
from twotower.artifacts import MODEL, read_unit, read_words, require
from twotower.config import Tokenize
from twotower.errors import TwoTowerError
from twotower.text.tokenizer import Tokenizer
from twotower.text.units import splitter
from twotower.towers import model, similarity
from twotower.towers.encode import Encode, encode

BATCH_TOKENS = 65_536
FILES = ("config.json", "weights.safetensors", "words.parquet", "unit.json")
"""What a model's folder holds; with word pieces, tokenizer.json too."""


class TextEncoder:
    """Two towers and the words they know; built once, used many times."""

    def __init__(
        self,
        towers: model.TwoTowers,
        tokenizer: Tokenizer,
        limits: Tokenize,
        device: torch.device,
    ) -> None:
        """Use `TextEncoder.load` to read a folder. limits: the lengths that texts are cut to."""
        self.towers = towers.to(device).eval()
        self._tokenizer, self._limits, self._device = tokenizer, limits, device

    @classmethod
    def load(cls, path: str | Path = MODEL, device: str = "cpu") -> TextEncoder:
        """Read a folder that stage train wrote; raises DataError if something of it is missing.

        device: auto, cpu, cuda or mps.
        """
        folder = Path(path)
        for name in FILES:
            require(folder / name, "train")
        towers = model.load(folder)
        tokenizer = Tokenizer(read_words(folder), splitter(read_unit(folder)))
        return cls(towers, tokenizer, model.read_limits(folder), devices.choose(device))

    @property
    def width(self) -> int:
        """Numbers a vector."""
        return self.towers.width

    @property
    def similarity_kind(self) -> str:
        """How vectors are compared: cosine, dot or euclidean."""
        return self.towers.config.similarity

    def encode_queries(self, texts: Sequence[str], *, width: int = 0) -> np.ndarray:
        """Encode queries: float32 (Q, D), in their order; the first `width` numbers (0: all)."""
        return self._encode(self.towers.queries, texts, self._limits.max_query_tokens, width)

    def encode_documents(self, texts: Sequence[str], *, width: int = 0) -> np.ndarray:
        """Encode passages: float32 (N, D), in their order; the first `width` numbers (0: all)."""
        return self._encode(self.towers.passages, texts, self._limits.max_passage_tokens, width)

    def similarity(self, queries_QD: np.ndarray, documents_ND: np.ndarray) -> np.ndarray:
        """Score every query against every document, the higher the nearer: float32 (Q, N).

        Takes vectors as this encoder gave them, since it made them ready for its similarity.
        """
        pair = (torch.from_numpy(queries_QD), torch.from_numpy(documents_ND))
        return similarity.similarity(*pair, self.towers.config.similarity).numpy()

    def _encode(
        self, tower: model.Side, texts: Sequence[str], max_tokens: int, width: int
    ) -> np.ndarray:
        if not 0 <= width <= self.width:
            raise TwoTowerError(f"width is {width}; expected 1 to {self.width}, or 0 for all")
        store = self._tokenizer(_column(texts), max_tokens).store
        cut = self.towers.cut_width(width)
        encoder: Encode = partial(tower, width=cut)
        return encode(encoder, store, cut, self._device, batch_tokens=BATCH_TOKENS)


def _column(texts: Sequence[object]) -> pl.Series:
    """Give the texts as a column; raises TwoTowerError naming the first that is none."""
    if isinstance(texts, str):
        raise TwoTowerError(f"{texts[:50]!r} is one text; expected a list of texts")
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            kind = type(text).__name__
            raise TwoTowerError(f"texts[{place}] is {text!r:.50} ({kind}); expected a text (str)")
    try:
        return pl.Series(list(texts), dtype=pl.String)
    except UnicodeEncodeError as error:
        place = list(texts).index(error.object)
        raise TwoTowerError(
            f"texts[{place}] is not Unicode ({error.reason} at character {error.start}); decode "
            "it with errors='replace'"
        ) from None
