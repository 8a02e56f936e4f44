"""The FAISS index over the passage matrix: exact inner product, which is the cosine here.

N passages, D width, Q queries, K retrieved.
"""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np

from twotower.artifacts import INDEX, require
from twotower.errors import DataError
from twotower.files import read_json, write_json, writing_folder
from twotower.progress import progress

BLOCK_ROWS = 262_144
FILE = "flat.faiss"


def build(passages_ND: np.ndarray, model: str, path: Path = INDEX) -> None:
    """Add every row to a flat index, block by block, and write it; row i keeps the id i.

    model: the fingerprint of the towers that made the rows.
    """
    index = faiss.IndexFlatIP(passages_ND.shape[1])
    with progress(len(passages_ND), "vectors", "index") as bar:
        for start in range(0, len(passages_ND), BLOCK_ROWS):
            block = np.ascontiguousarray(passages_ND[start : start + BLOCK_ROWS], np.float32)
            index.add(block)
            bar.update(len(block))
    with writing_folder(path) as folder:
        faiss.write_index(index, str(folder / FILE))
        write_json(folder / "origin.json", {"model": model})


def load(model: str, passages: int, path: Path = INDEX) -> faiss.Index:
    """Read the index, memory-mapped; raises DataError if it is not of this model and corpus.

    An interrupted `dvc repro` can leave a new model beside an old index: their vectors have nothing
    to do with each other.
    """
    made_by = read_json(require(path, "index") / "origin.json")["model"]
    index = faiss.read_index(str(path / FILE), faiss.IO_FLAG_MMAP_IFC)
    if made_by != model or index.ntotal != passages:
        raise DataError(
            f"{path} has {index.ntotal} vectors of model {made_by}, but the model is {model} and "
            f"the corpus has {passages} passages: `dvc repro` builds them anew"
        )
    return index


def search(index: faiss.Index, queries_QD: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Give scores float32 (Q, K) and passage rows int64 (Q, K), best first; K = min(k, N)."""
    scores, rows = index.search(np.ascontiguousarray(queries_QD, np.float32), min(k, index.ntotal))
    return scores, rows
