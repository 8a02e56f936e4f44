"""The pair of towers: two encoders, one similarity, and their folder on disk.

    towers = start(config, vectors, seed)      # untrained
    q_BD = towers.queries(ids_T, lengths_B)    # L2-normalised
    scores_BN = similarity(q_BD, p_ND)
    save(towers, limits, folder); load(folder)

B queries, N passages, D width of a vector, T tokens.
"""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from twotower.artifacts import MODEL, WordVectors, require
from twotower.config import Model, Tokenize
from twotower.files import read_json, write_json, writing_folder
from twotower.towers.encoders import build_encoder
from twotower.towers.table import initial_table, inverse_document_frequency


class TwoTowers(nn.Module):
    """A query tower and a passage tower; shared means that they are the same one."""

    def __init__(self, config: Model, table_WE: np.ndarray, idf_W: np.ndarray) -> None:
        """Towers that are not shared start equal, so that even untrained scores mean something."""
        super().__init__()
        self.config = config
        self.query = build_encoder(config, table_WE, idf_W)
        self.passage = self.query if config.shared else copy.deepcopy(self.query)

    @property
    def width(self) -> int:
        """Numbers a vector."""
        return int(self.query.width)  # type: ignore[arg-type]

    @property
    def words(self) -> int:
        """Ids that the towers know."""
        return len(self.query.table)  # type: ignore[arg-type]

    def queries(self, ids_T: Tensor, lengths_B: Tensor) -> Tensor:
        """Encode queries: float32 (B, D), rows of length 1."""
        return normalise(self.query(ids_T, lengths_B))

    def passages(self, ids_T: Tensor, lengths_B: Tensor) -> Tensor:
        """Encode passages: float32 (B, D), rows of length 1."""
        return normalise(self.passage(ids_T, lengths_B))


def normalise(vectors_BD: Tensor) -> Tensor:
    """Give float32 rows of length 1; a row of zeros stays zeros."""
    return functional.normalize(vectors_BD.float(), dim=-1)


def similarity(queries_QD: Tensor, passages_ND: Tensor) -> Tensor:
    """Score every query against every passage: (Q, N). Rows have length 1, so this is the cosine.

    The one similarity of the system: training, dev evaluation and the index all score with it.
    """
    return queries_QD @ passages_ND.T


def start(config: Model, vectors: WordVectors, seed: int) -> TwoTowers:
    """Build untrained towers from the vocabulary's vectors; same seed, same towers."""
    table = initial_table(vectors, config.vector_scale, config.random_dims, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TwoTowers(config, table, inverse_document_frequency(vectors))


def save(towers: TwoTowers, limits: Tokenize, path: Path = MODEL) -> None:
    """Write weights.safetensors and config.json; shared towers are stored once.

    limits: the lengths that texts were cut to, since queries to come must be cut alike.
    """
    from safetensors.torch import save_file

    weights = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in towers.state_dict().items()
        if not (towers.config.shared and name.startswith("passage."))
    }
    words, width = weights["query.table"].shape
    with writing_folder(path) as folder:
        save_file(weights, folder / "weights.safetensors")
        description = {
            "model": dataclasses.asdict(towers.config),
            "tokenize": dataclasses.asdict(limits),
            "words": words,
            "width": width,
        }
        write_json(folder / "config.json", description)


def load(path: Path = MODEL) -> TwoTowers:
    """Read a folder that `save` wrote."""
    from safetensors.torch import load_file

    description = read_json(require(path, "train") / "config.json")
    words, width = description["words"], description["width"]
    table, idf = np.zeros((words, width), np.float32), np.zeros(words, np.float32)
    towers = TwoTowers(Model(**description["model"]), table, idf)
    weights = load_file(path / "weights.safetensors")
    if towers.config.shared:
        weights |= {name.replace("query.", "passage.", 1): value for name, value in weights.items()}
    towers.load_state_dict(weights)
    return towers.eval()


def read_limits(path: Path = MODEL) -> Tokenize:
    """Read the lengths that the model's texts were cut to."""
    return Tokenize(**read_json(require(path, "train") / "config.json")["tokenize"])
