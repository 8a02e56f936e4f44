"""The FAISS index over the passage matrix: exact, by the similarity that the towers compare with.

N passages, D width, Q queries, K retrieved.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np

from twotower.artifacts import INDEX, require
from twotower.errors import DataError
from twotower.files import read_json, write_json, writing_folder
from twotower.progress import progress

BLOCK_ROWS = 262_144
FILE = "flat.faiss"


@dataclass(frozen=True)
class Index:
    """Vectors that can be searched."""

    vectors: faiss.Index
    similarity: str

    @property
    def width(self) -> int:
        """Numbers a vector; queries must have as many."""
        return int(self.vectors.d)

    def search(self, queries_QD: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Give scores float32 (Q, K), passage rows int64 (Q, K), best first; K = min(k, N)."""
        queries = np.ascontiguousarray(queries_QD, np.float32)
        found, rows = self.vectors.search(queries, min(k, self.vectors.ntotal))
        # FAISS gives squared distances, the smallest first.
        return (-np.sqrt(found.clip(0)) if self.similarity == "euclidean" else found), rows


def build(passages_ND: np.ndarray, origin: dict[str, str], path: Path = INDEX) -> None:
    """Add every row to a flat index, block by block, and write it; row i keeps the id i.

    origin: the matrix's; see `artifacts.write_embeddings`.
    """
    euclidean = origin["similarity"] == "euclidean"
    kind = faiss.IndexFlatL2 if euclidean else faiss.IndexFlatIP
    index = kind(passages_ND.shape[1])
    with progress(len(passages_ND), "vectors", "index") as bar:
        for start in range(0, len(passages_ND), BLOCK_ROWS):
            block = np.ascontiguousarray(passages_ND[start : start + BLOCK_ROWS], np.float32)
            index.add(block)
            bar.update(len(block))
    with writing_folder(path) as folder:
        faiss.write_index(index, str(folder / FILE))
        write_json(folder / "origin.json", origin)


def load(model: str, passages: int, path: Path = INDEX) -> Index:
    """Read the index, memory-mapped; raises DataError if it is not of this model and corpus.

    An interrupted `dvc repro` can leave a new model beside an old index: their vectors have nothing
    to do with each other.
    """
    origin = read_json(require(path, "index") / "origin.json")
    index = faiss.read_index(str(path / FILE), faiss.IO_FLAG_MMAP_IFC)
    if origin["model"] != model or index.ntotal != passages:
        raise DataError(
            f"{path} has {index.ntotal} vectors of model {origin['model']}, but the model is "
            f"{model} and the corpus has {passages} passages: `dvc repro` builds them anew"
        )
    return Index(index, origin["similarity"])
