"""Token weights by hand, and against BM25's term weight counted slowly."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st

from twotower.config import Model
from twotower.towers.table import Table, base_weights, make_table
from twotower.towers.weights import TokenWeights, mean_passage_length

# Words <pad>, <unk> and 2 have no identity; 4 and 5 are one.
IDENTITY = [0, 0, 0, 1, 2, 2]
IDF = [0.0, 0.5, 3.0]
MEAN_LENGTH = 4.0
IDS = torch.tensor([4, 2, 5, 3, 4])
LENGTHS = torch.tensor([4, 1])


def table(weights: Sequence[float] = IDF) -> Table:
    own, none = np.ones((6, 1), np.float32), np.zeros((3, 0), np.float32)
    return make_table(own, none, np.array(IDENTITY), np.array(weights, np.float32))


def config(**changes: object) -> Model:
    plain = dataclasses.replace(tiny.MODEL, saturation=0.0, lead=0.0, token_weights="idf")
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def weigh(*, passages: bool = True, **changes: object) -> TokenWeights:
    return TokenWeights(config(**changes), table(), mean_length=MEAN_LENGTH, passages=passages)


def weights(*, passages: bool = True, **changes: object) -> list[float]:
    found: list[float] = weigh(passages=passages, **changes)(IDS, LENGTHS).tolist()
    return found


def test_each_token_has_the_weight_of_its_identity() -> None:
    assert weights() == [3.0, 0.0, 3.0, 0.5, 3.0]
    ones = TokenWeights(config(), table([1.0] * 3), mean_length=1.0, passages=True)
    assert ones(IDS, LENGTHS).tolist() == [1.0] * 5


def test_learned_factors_start_at_1_and_multiply_the_idf() -> None:
    learned = weigh(token_weights="learned")
    assert learned.gains is not None
    assert learned(IDS, LENGTHS).tolist() == weights()
    with torch.no_grad():
        learned.gains[1], learned.gains[2] = math.log(4), math.log(0.5)
    torch.testing.assert_close(learned(IDS, LENGTHS), torch.tensor([1.5, 0, 1.5, 2, 1.5]))


def test_gains_alone_are_learned_each_by_its_tokens() -> None:
    learned = weigh(token_weights="learned")
    learned(IDS, LENGTHS).sum().backward()
    assert learned.gains is not None
    assert learned.gains.grad is not None
    assert learned.gains.grad.tolist() == [0.0, 0.5, 9.0]
    assert weigh(token_weights="idf").gains is None


def test_lead_by_hand() -> None:
    # An occurrence at place p counts 1 + 2 exp(-p / 5); the second text starts again at 0.
    share = [1 + 2 * math.exp(-place / 5) for place in range(4)]
    expected = [3 * share[0], 0.0, 3 * share[2], 0.5 * share[3], 3 * share[0]]
    assert weights(lead=2.0, lead_tokens=5.0) == pytest.approx(expected)


def test_saturation_by_hand() -> None:
    # k1 = 1, b = .5. Text 0 has 3 tokens with an identity: 1 - .5 + .5 x 3/4 = .875; text 1 has 1:
    # .625. Identity 2 stands there twice: 2 x 2 / (2 + .875), half for each token.
    expected = [3 * 2 / 2.875, 0, 3 * 2 / 2.875, 0.5 * 2 / 1.875, 3 * 2 / 1.625]
    assert weights(saturation=1.0, length_norm=0.5) == pytest.approx(expected)


def test_a_repeated_word_counts_ever_less_and_at_most_k1_plus_1() -> None:
    repeated = weigh(saturation=1.5, length_norm=0.0)
    counts = torch.tensor([1, 2, 3, 1000])
    found = repeated(torch.full((1006,), 4), counts)
    sums = [float(each.sum()) / 3 for each in found.split(counts.tolist())]
    assert sums == pytest.approx([1, 2 * 2.5 / 3.5, 3 * 2.5 / 4.5, 1000 * 2.5 / 1001.5], rel=1e-4)


@pytest.mark.parametrize("changes", [{"lead": 2.0}, {"saturation": 0.9, "length_norm": 0.4}])
def test_lead_and_saturation_are_of_passages_alone(changes: dict[str, object]) -> None:
    assert weights(passages=False, **changes) == weights()
    assert weights(**changes) != weights()


def test_without_lead_and_saturation_the_sides_are_alike() -> None:
    assert weights(passages=True, length_norm=0.9) == weights(passages=False, length_norm=0.9)


def slow_bm25(ids: list[int], model: Model) -> dict[int, float]:
    """Weight of each identity of a text, as the module's docstring says it."""
    counts: dict[int, float] = defaultdict(float)
    for place, word in enumerate(ids):
        counts[IDENTITY[word]] += 1 + model.lead * math.exp(-place / model.lead_tokens)
    length = sum(IDENTITY[word] != 0 for word in ids)
    b, k1 = model.length_norm, model.saturation
    norm = k1 * (1 - b + b * length / MEAN_LENGTH)
    return {each: IDF[each] * c * (k1 + 1) / (c + norm) for each, c in counts.items()}


@given(
    st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=12), min_size=1, max_size=5),
    st.floats(0.1, 3),
    st.floats(0, 1),
    st.floats(0, 4),
    st.floats(0.5, 20),
)
def test_a_texts_weights_add_up_to_bm25s(
    texts: list[list[int]], k1: float, b: float, lead: float, lead_tokens: float
) -> None:
    changes = {"saturation": k1, "length_norm": b, "lead": lead, "lead_tokens": lead_tokens}
    lengths = torch.tensor([len(text) for text in texts])
    found = weigh(**changes)(torch.tensor([word for text in texts for word in text]), lengths)
    for text, weights_L in zip(texts, found.split(lengths.tolist()), strict=True):
        total: dict[int, float] = defaultdict(float)
        for word, weight in zip(text, weights_L.tolist(), strict=True):
            total[IDENTITY[word]] += weight
        assert total == pytest.approx(slow_bm25(text, config(**changes)), rel=1e-4)


def test_identity_0_has_no_weight_under_idf_whatever_its_df() -> None:
    vectors = tiny.word_vectors()
    vectors.df_I[0] = 3
    for name, expected in (("none", 1.0), ("idf", 0.0), ("learned", 0.0)):
        assert base_weights(config(token_weights=name), vectors)[0] == expected


def test_mean_passage_length_by_hand_and_against_a_slow_sum() -> None:
    vectors = tiny.word_vectors()
    by_hand = dataclasses.replace(vectors, df_I=np.array([0, 100, 50, 250]), passages=100)
    # Identity 1 in every passage, 2 in half of them, 3 (a df above N) in all: 4 + 9/2 + 1/4.
    length = mean_passage_length(np.array([7.0, 2.0, 3.0, 0.5], np.float32), by_hand)
    assert length == pytest.approx(math.sqrt(4 + 4.5 + 0.25))

    idf = base_weights(config(), vectors)
    square = 0.0
    for df, weight in zip(vectors.df_I.tolist(), idf.tolist(), strict=True):
        square += min(df, vectors.passages) / vectors.passages * weight**2
    assert mean_passage_length(idf, vectors) == pytest.approx(math.sqrt(square))


def test_mean_passage_length_is_the_root_mean_square_of_real_sums() -> None:
    generator = np.random.default_rng(5)
    present = generator.random((400, 30)) < generator.random(30)
    weight = generator.random(30).astype(np.float32)
    vectors = dataclasses.replace(tiny.word_vectors(), df_I=present.sum(0), passages=400)
    directions = np.eye(30)  # orthogonal, as random ones are but for chance
    sums = (present * weight) @ directions
    expected = math.sqrt((np.linalg.norm(sums, axis=1) ** 2).mean())
    assert mean_passage_length(weight, vectors) == pytest.approx(expected, rel=1e-6)
