"""Stage embed: encode every passage with the passage tower."""

from __future__ import annotations

from functools import partial

from _stage import run
from twotower import devices
from twotower.artifacts import MODEL, read_tokens, write_embeddings
from twotower.config import Params
from twotower.files import fingerprint
from twotower.towers import model
from twotower.towers.encode import encode_into


def main(params: Params) -> None:
    """Encode and write the passage matrix."""
    device, passages = devices.choose(params.device), read_tokens("passages")
    towers = model.load().to(device)
    width, tokens = towers.cut_width(params.embed.width), params.embed.batch_tokens
    encoder = partial(towers.passages, width=width)
    write_embeddings(
        (len(passages), width),
        lambda out: encode_into(out, encoder, passages, device, batch_tokens=tokens),
        {"model": fingerprint(MODEL), "similarity": towers.config.similarity},
    )


if __name__ == "__main__":
    run(main)
