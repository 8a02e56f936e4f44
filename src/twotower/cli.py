"""The command line: `twotower search`, `twotower table`, `twotower preset`.

Run from the root of the repository. Everything that builds is a DVC stage; what is here only looks
at what was built, or edits params.yaml.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import sys
from collections.abc import Sequence

from twotower.artifacts import PARAMS
from twotower.errors import TwoTowerError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give the exit code: 0, 1 for the user's errors, 2 for a wrong call."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    options = _parser().parse_args(arguments)
    try:
        _require_root()
        options.run(options)
        sys.stdout.flush()
    except TwoTowerError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, say) has gone: what it wanted is written; Python must not try again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _require_root() -> None:
    if not PARAMS.is_file():
        raise TwoTowerError(f"no {PARAMS} here: run from the root of the repository")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="twotower", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    search = commands.add_parser("search", help="find the passages nearest to a text")
    search.add_argument("text", help="the query")
    search.add_argument("-k", type=_positive, default=5, help="passages to show (default 5)")
    search.add_argument("--json", action="store_true", help="one JSON object instead of text")
    search.set_defaults(run=_search)
    table = commands.add_parser("table", help="print the measured figures")
    table.set_defaults(run=_table)
    preset = commands.add_parser("preset", help="apply a preset to params.yaml and show the change")
    preset.add_argument("name", help="a file of presets/data or presets/recipes, without .yaml")
    preset.set_defaults(run=_preset)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _search(options: argparse.Namespace) -> None:
    if not options.text.strip():
        raise TwoTowerError("the query is empty; give a text to search for")
    from twotower.retrieval.searcher import Searcher

    searcher = Searcher.load()
    (hits,) = searcher.search([options.text], options.k)
    if options.json:
        answer = {
            "query": options.text,
            "pool": searcher.pool,
            "smoke": searcher.smoke,
            "hits": [dataclasses.asdict(hit) for hit in hits],
        }
        sys.stdout.write(json.dumps(answer, ensure_ascii=False, indent=2) + "\n")
        return
    source = "generated passages (smoke set)" if searcher.smoke else "passages"
    sys.stdout.write(f"{len(hits)} of {searcher.pool:,} {source}\n\n")
    for hit in hits:
        sys.stdout.write(f"{hit.rank:3d}.  {hit.score:.4f}  [{hit.pid}]  {hit.text}\n")


def _table(_options: argparse.Namespace) -> None:
    from twotower.artifacts import METRICS, require
    from twotower.evaluation import summary
    from twotower.files import read_json

    sys.stdout.write(summary.table(read_json(require(METRICS, "evaluate"))) + "\n")


def _preset(options: argparse.Namespace) -> None:
    from twotower import presets

    change = presets.apply(options.name)
    sys.stdout.write((change or f"params.yaml already has preset {options.name}") + "\n")
    sys.stdout.write("next: dvc repro\n")


if __name__ == "__main__":
    sys.exit(main())
