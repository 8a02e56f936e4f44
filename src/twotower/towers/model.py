"""The pair of towers, and their folder on disk.

    towers = start(config, vectors, seed)      # untrained
    q_BD = towers.queries(ids_T, lengths_B)    # ready to be scored
    scores_BN = towers.score(q_BD, p_ND)
    save(towers, limits, folder); load(folder)

B queries, N passages, D width of a vector, T tokens.
"""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from twotower.artifacts import MODEL, VOCAB, WordVectors, copy_words, require
from twotower.config import Model, Tokenize
from twotower.errors import ConfigError
from twotower.files import read_json, write_json, writing_folder
from twotower.towers.encoders import build_encoder
from twotower.towers.similarity import finish, similarity
from twotower.towers.table import Table, make_table, start_table
from twotower.towers.tower import Head, Tower
from twotower.towers.weights import TokenWeights, mean_passage_length


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the towers know of the passages besides their weights."""

    mean_length: float
    """Tokens with an identity that a passage has, mean."""
    mean_norm: float
    """Length of a mean passage's weighted sum of identities."""


class TwoTowers(nn.Module):
    """A query tower and a passage tower; what they share is the same module in both."""

    def __init__(self, config: Model, table: Table, facts: Facts) -> None:
        """Towers start equal, so that even untrained scores of separate ones mean something."""
        super().__init__()
        self.config, self.facts, self.table = config, facts, table
        encoder = build_encoder(config.encoder, config, table)
        head = Head(config, int(encoder.width))  # type: ignore[arg-type]
        shared = {id(table): table} if config.share == "table" else {}
        query_encoder, query_head = encoder, head
        if config.of_queries != config.encoder:
            query_encoder = build_encoder(config.of_queries, config, copy.deepcopy(table, shared))
            query_head = Head(config, int(query_encoder.width))  # type: ignore[arg-type]
        elif config.share != "towers":
            query_encoder, query_head = copy.deepcopy((encoder, head), shared)
        query_table = table if config.share != "nothing" else _table_of(query_encoder)
        length = facts.mean_length
        weigh = TokenWeights(config, table, mean_length=length, passages=True)
        weigh_query = TokenWeights(config, query_table, mean_length=length, passages=False)
        if not config.weights_per_side and config.share != "nothing":
            weigh_query.gains = weigh.gains
        anchors = (config.anchor * facts.mean_norm, 0.0) if config.anchored else (None, None)
        self.passage = Tower(encoder, head, weigh, anchor=anchors[0])
        self.query = Tower(query_encoder, query_head, weigh_query, anchor=anchors[1])

    @property
    def width(self) -> int:
        """Numbers a vector."""
        return self.passage.width

    def cut_width(self, width: int) -> int:
        """Give how many numbers a vector cut to `width` has (0: all); ConfigError for too many."""
        if width > self.width:
            raise ConfigError(f"embed.width: {width} is more than the towers' {self.width} numbers")
        if width == 1 and self.config.anchored:
            raise ConfigError("embed.width: 1 leaves the anchor alone; take at least 2")
        return width or self.width

    def queries(self, ids_T: Tensor, lengths_B: Tensor, width: int = 0) -> Tensor:
        """Encode queries: float32 (B, D), or their first `width` numbers."""
        return finish(self.query(ids_T, lengths_B), self.config.similarity, width)

    def passages(self, ids_T: Tensor, lengths_B: Tensor, width: int = 0) -> Tensor:
        """Encode passages: float32 (B, D), or their first `width` numbers."""
        return finish(self.passage(ids_T, lengths_B), self.config.similarity, width)

    def score(self, queries_BD: Tensor, passages_ND: Tensor) -> Tensor:
        """Score queries against passages by the towers' similarity: (B, N)."""
        return similarity(queries_BD, passages_ND, self.config.similarity)


class Side(Protocol):
    """One side's encoder, `TwoTowers.queries` or `TwoTowers.passages`."""

    def __call__(self, ids_T: Tensor, lengths_B: Tensor, width: int = 0) -> Tensor:
        """Give float32 (B, D), or the first `width` numbers."""


def _table_of(encoder: nn.Module) -> Table:
    return next(module for module in encoder.modules() if isinstance(module, Table))


def start(config: Model, vectors: WordVectors, seed: int) -> TwoTowers:
    """Build untrained towers from the vocabulary's vectors; same seed, same towers."""
    table = start_table(vectors, config, seed)
    norm = mean_passage_length(table.weight_I.numpy(), vectors)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TwoTowers(config, table, Facts(vectors.mean_length, norm))


def save(towers: TwoTowers, limits: Tokenize, path: Path = MODEL, words: Path = VOCAB) -> None:
    """Write weights.safetensors, config.json, and the words: a folder that needs nothing else.

    What towers share is stored once. limits: the lengths that texts were cut to, since texts to
    come must be cut alike. words: the vocabulary's folder.
    """
    from safetensors.torch import save_file

    table = towers.table
    description = {
        "model": dataclasses.asdict(towers.config),
        "facts": dataclasses.asdict(towers.facts),
        "tokenize": dataclasses.asdict(limits),
        "words": len(table.identity_W),
        "identities": len(table.weight_I),
        "own_width": table.own_width,
    }
    with writing_folder(path) as folder:
        save_file(_stored(towers), folder / "weights.safetensors")
        write_json(folder / "config.json", description)
        copy_words(folder, words)


def _stored(towers: TwoTowers) -> dict[str, Tensor]:
    """Give each weight under the first of its names.

    safetensors' save_model also notes the other names, in an order that differs from save to save.
    """
    named = [*towers.named_parameters(), *towers.named_buffers()]
    return {name: weight.detach().cpu() for name, weight in named}


def load(path: Path = MODEL) -> TwoTowers:
    """Read the towers, on the CPU and ready to encode."""
    from safetensors.torch import load_model

    description = read_json(require(path, "train") / "config.json")
    config = Model(**description["model"])
    words, identities = description["words"], description["identities"]
    table = make_table(
        np.zeros((words, description["own_width"]), np.float32),
        np.zeros((identities, config.random_dims), np.float32),
        np.zeros(words, np.int64),
        np.zeros(identities, np.float32),
    )
    towers = TwoTowers(config, table, Facts(**description["facts"]))
    load_model(towers, str(path / "weights.safetensors"))
    return towers.eval()


def read_limits(path: Path = MODEL) -> Tokenize:
    """Read the lengths that the model's texts were cut to."""
    return Tokenize(**read_json(require(path, "train") / "config.json")["tokenize"])
