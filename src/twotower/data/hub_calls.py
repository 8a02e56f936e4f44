"""How huggingface_hub is called: asked anew where that helps, quiet, its errors in plain words.

    with quiet(), explained("microsoft/ms_marco, revision main"):
        info = again(lambda: HfApi().dataset_info("microsoft/ms_marco", timeout=10))

What lies outside the program (the network, the hub's answers, the disk) comes out as a
DownloadError of a line or two; anything else keeps its traceback.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from twotower.errors import DownloadError

log = logging.getLogger(__name__)

WAITS_S = (1.0, 2.0)
"""Pauses before a request that failed for a passing reason is made again."""
BY_HAND = "put the files into download.folder and set download.source: local, download.format: qna"
LOG_IN = "`hf auth login`, or HF_TOKEN"

_Answer = TypeVar("_Answer")


def again(ask: Callable[[], _Answer]) -> _Answer:
    """Ask anew after what may pass: huggingface_hub itself does so for some requests only."""
    from httpx2 import TransportError
    from huggingface_hub.errors import HfHubHTTPError

    for wait_s in WAITS_S:
        try:
            return ask()
        except (TransportError, HfHubHTTPError) as error:
            status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
            if status and status < 500 and status not in (408, 429):
                raise
            log.info("%s; asked again", _first_line(error))
        time.sleep(wait_s)
    return ask()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings and requests off the terminal, unless HF_HUB_VERBOSITY or HF_DEBUG asks."""
    import huggingface_hub.utils.logging  # noqa: F401  it sets its level when imported

    loggers = [logging.getLogger(name) for name in ("huggingface_hub", "httpx2")]
    levels = [logger.level for logger in loggers]
    if not {"HF_HUB_VERBOSITY", "HF_DEBUG"} & os.environ.keys():
        for logger in loggers:
            logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def explained(where: str) -> Iterator[None]:
    """Turn errors that are not the program's into a DownloadError; `where` opens its message."""
    from httpx2 import HTTPError, InvalidURL
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError

    try:
        yield
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise no_hub() from None
    except RuntimeError as error:  # all that hf_xet raises where it cannot fetch
        raise DownloadError(
            f"{where}: the transfer by xet failed: {_first_line(error)}\n"
            "run again, or with HF_HUB_DISABLE_XET=1, which takes plain HTTP"
        ) from None
    except (HTTPError, InvalidURL, EntryNotFoundError, HFValidationError, OSError) as error:
        raise DownloadError(f"{where}: {_explanation(error)}") from None


def no_hub() -> DownloadError:
    """Give the error for an address that answers, but with something else."""
    from huggingface_hub import constants

    return DownloadError(
        f"{constants.ENDPOINT} does not answer as a hub does\n"
        "check HF_ENDPOINT, and whether the network wants a login first"
    )


def _explanation(error: Exception) -> str:
    """Say what an error means, and what to do."""
    from httpx2 import HTTPError, InvalidURL
    from huggingface_hub import constants, errors

    unknown = f"no such repository, or not one for you; check its name, or log in ({LOG_IN})"
    meanings: dict[type[Exception], str] = {
        errors.HFValidationError: f"not the name of a repository: {_first_line(error)}",
        errors.RevisionNotFoundError: "no such revision; name a branch, a tag or a commit",
        errors.GatedRepoError: f"accept the repository's terms on its page and log in ({LOG_IN})",
        errors.RepositoryNotFoundError: unknown,
    }
    for kind, meaning in meanings.items():
        if isinstance(error, kind):
            return meaning
    if isinstance(error, errors.HfHubHTTPError) and error.response.status_code == 401:
        return unknown
    # Its own text says no more than that there is nothing in the cache either.
    cause = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) else error
    if isinstance(cause, HTTPError | InvalidURL | errors.FileMetadataError):
        return (
            f"{constants.ENDPOINT}: {_first_line(cause)}\n"
            "check the connection and run again: whole shards are kept; HF_HUB_OFFLINE=1 takes "
            f"what was fetched before, HF_ENDPOINT names a mirror; or {BY_HAND}"
        )
    return _first_line(cause or error)


def _first_line(error: BaseException) -> str:
    """Give an error's kind, which some need to be understood, and its first line."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
