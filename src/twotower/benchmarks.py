"""A trained model in the forms that BEIR and MTEB measure; each takes the model's folder.

    model = BeirEncoder("data/model")
    search = DenseRetrievalExactSearch(model)
    evaluation = EvaluateRetrieval(search, score_function=model.score_function)
    results = evaluation.retrieve(corpus, queries)

    mteb.evaluate(MtebEncoder("data/model"), mteb.get_tasks(tasks=["SciFact"]))

Written against beir 2.2 and mteb 2.26. Neither is a package that this one needs.

Q queries, N documents, D width of a vector.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twotower.encoder import TextEncoder
from twotower.errors import TwoTowerError
from twotower.files import fingerprint

SCORE_FUNCTIONS = {"cosine": "cos_sim", "dot": "dot"}
"""BEIR's name of each similarity."""


class BeirEncoder:
    """What BEIR's DenseRetrievalExactSearch takes as its model."""

    def __init__(self, path: str | Path, *, device: str = "cpu", width: int = 0) -> None:
        """Read a model's folder; raises TwoTowerError if BEIR has not its similarity.

        width: first numbers of each vector that are kept; 0: all.
        """
        self._encoder, self._width = TextEncoder.load(path, device), width
        kind = self._encoder.similarity_kind
        if kind not in SCORE_FUNCTIONS:
            legal = " or ".join(SCORE_FUNCTIONS)
            raise TwoTowerError(f"{path}: its similarity is {kind}; BEIR scores by {legal} alone")
        self.score_function = SCORE_FUNCTIONS[kind]
        """The one under which BEIR's figures are this model's."""

    def encode_queries(self, queries: Sequence[str], batch_size: int = 0, **_: Any) -> np.ndarray:
        """Encode queries: float32 (Q, D). batch_size is ignored: tokens bound a batch."""
        del batch_size
        return self._encoder.encode_queries(queries, width=self._width)

    def encode_corpus(
        self,
        corpus: Sequence[Mapping[str, str]] | Mapping[str, Sequence[str]],
        batch_size: int = 0,
        **_: Any,
    ) -> np.ndarray:
        """Encode documents with title and text, in rows or in columns: float32 (N, D)."""
        del batch_size
        if isinstance(corpus, Mapping):
            titles, texts = corpus.get("title", [""] * len(corpus["text"])), corpus["text"]
        else:
            titles = [row.get("title", "") for row in corpus]
            texts = [row["text"] for row in corpus]
        # As the pipeline's own reader of BEIR's files joins them.
        pairs = zip(titles, texts, strict=True)
        texts = [f"{title or ''} {text or ''}".strip(" ") for title, text in pairs]
        return self._encoder.encode_documents(texts, width=self._width)


class MtebEncoder:
    """MTEB's EncoderProtocol."""

    def __init__(
        self,
        model_name: str | Path,
        revision: str | None = None,
        *,
        device: str | None = None,
        width: int = 0,
    ) -> None:
        """Read a model's folder (`model_name`); width: numbers kept of each vector, 0: all.

        revision: names the model, since MTEB keeps its results by it; by default the fingerprint
        of the folder, so that a model that was trained anew is measured anew.
        """
        folder = Path(model_name)
        self._encoder, self._width = TextEncoder.load(folder, device or "cpu"), width
        self._name = f"twotower/{folder.resolve().name}"
        self._revision = revision or f"{fingerprint(folder)}-{width or self._encoder.width}"

    def encode(
        self, inputs: Iterable[Mapping[str, Any]], *, prompt_type: str | None = None, **_: Any
    ) -> np.ndarray:
        """Encode batches of texts: float32 (texts, D).

        prompt_type: query, or document. Texts of tasks that know neither are taken as documents,
        which are cut later.
        """
        texts = list(chain.from_iterable(_texts(batch) for batch in inputs))
        if prompt_type == "query":
            return self._encoder.encode_queries(texts, width=self._width)
        return self._encoder.encode_documents(texts, width=self._width)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Score each vector (or the only one) against each: float32 (Q, N)."""
        scores_QN = self._encoder.similarity(*map(_rows, (embeddings1, embeddings2)))
        return torch.from_numpy(scores_QN)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Score each vector against the one in the same place: float32 (N,)."""
        pairs = zip(*map(_rows, (embeddings1, embeddings2)), strict=True)
        return torch.tensor([self.similarity(*pair).item() for pair in pairs])

    @property
    def mteb_model_meta(self) -> Any:
        """What MTEB keeps of a model beside its results."""
        from mteb.models.model_meta import ModelMeta, ScoringFunction

        known = {
            "name": self._name,
            "revision": self._revision,
            "embed_dim": self._width or self._encoder.width,
            "framework": ["PyTorch"],
            "similarity_fn_name": ScoringFunction(self._encoder.similarity_kind),
            "use_instructions": False,
        }
        return ModelMeta.create_empty(known)


def _texts(batch: Mapping[str, Any]) -> Sequence[str]:
    if "text" not in batch:
        raise TwoTowerError(f"MTEB's task gives {', '.join(batch)}; only text can be encoded")
    texts: Sequence[str] = batch["text"]
    return texts


def _rows(vectors: Any) -> np.ndarray:
    """Give vectors (numpy or torch) as float32 (N, D), one vector as the only row."""
    return np.atleast_2d(np.asarray(vectors, np.float32))
