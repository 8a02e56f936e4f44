"""Files fetched over HTTP into a cache of our own: complete, verified, and fetched only once.

In: a `Remote`, which is an address with the length and the checksum that the file must have. Out:
the path of the file in the cache. It is verified at every use, and nothing incomplete or unverified
ever has its final name; what is on its way is called `<name>.partial` and is resumed, whatever cut
it short. The cache lies outside the repository: `$TWOTOWER_CACHE`, or `~/.cache/twotower`. A
file may be put there by hand; with TWOTOWER_OFFLINE=1 that is the only way.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from twotower.errors import DataError, DownloadError
from twotower.progress import progress
from twotower.transfer import Transfer

log = logging.getLogger(__name__)

DIGITS = {"md5": 32, "sha256": 64}
READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Remote:
    """A file on a server, and how to know it."""

    url: str
    """http or https"""
    size_bytes: int
    checksum: str
    """md5:<hex> or sha256:<hex>"""

    def __post_init__(self) -> None:
        """Refuse what can be no file; raises DataError."""
        algorithm, _, digest = self.checksum.partition(":")
        wrong = []
        if urlsplit(self.url).scheme not in ("http", "https"):
            wrong.append("its address is not http or https")
        if not re.fullmatch(r"[\w.+%~-]+", self.name) or self.name in (".", ".."):
            wrong.append(f"its address ends in {self.name!r}, which is no file name")
        if self.size_bytes < 1:
            wrong.append(f"its size is {self.size_bytes}, expected bytes")
        if not re.fullmatch(f"[0-9a-f]{{{DIGITS.get(algorithm, 0)}}}", digest) or not digest:
            wrong.append(f"its checksum is {self.checksum!r}, expected md5:<hex> or sha256:<hex>")
        if wrong:
            raise DataError(f"{self.url} cannot be fetched: {'; '.join(wrong)}")

    @property
    def name(self) -> str:
        """The last part of the address's path."""
        return urlsplit(self.url).path.rpartition("/")[2]


def cache_folder() -> Path:
    """Give $TWOTOWER_CACHE, else $XDG_CACHE_HOME/twotower, else ~/.cache/twotower."""
    if own := os.environ.get("TWOTOWER_CACHE"):
        return Path(own).expanduser().absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared).absolute() if shared else Path.home() / ".cache") / "twotower"


def place(remote: Remote) -> Path:
    """Give the path of a file in the cache, whether it is there or not."""
    return cache_folder() / "downloads" / remote.checksum.partition(":")[2] / remote.name


def offline() -> bool:
    """Tell whether the user forbids the network."""
    return os.environ.get("TWOTOWER_OFFLINE", "").lower() in ("1", "true", "yes", "on")


def fetch(remote: Remote) -> Path:
    """Give the path of the complete and verified file, fetched where it is not there.

    Raises:
        DownloadError: it cannot be had; the message says why and where to put it by hand.
    """
    path = place(remote)
    try:
        # Verified without the lock, so that a cache that one may only read serves as well.
        if _fault(path, remote):
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(path):
                _bring(remote, path)
    except OSError as error:
        raise DownloadError(
            f"the cache folder {path.parent} cannot be used: {error}\n"
            "mend it, or name another one in TWOTOWER_CACHE"
        ) from None
    return path


def _fault(path: Path, remote: Remote) -> str:
    """Say what is wrong with a file; nothing if it is the expected one."""
    try:
        size_bytes = path.stat().st_size
        if size_bytes != remote.size_bytes:
            return f"has {size_bytes:,} bytes instead of {remote.size_bytes:,}"
        found = _checksum(path, remote.checksum.partition(":")[0])
    except FileNotFoundError:
        return "is not there"
    return "" if found == remote.checksum else f"has {found} instead of {remote.checksum}"


def _checksum(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file, progress(path.stat().st_size, "B", f"verify {path.name}") as bar:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
            bar.update(len(chunk))
    return f"{algorithm}:{digest.hexdigest()}"


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Be the one process that fetches this file."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("another process fetches %s; waiting for it", path.name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _bring(remote: Remote, path: Path) -> None:
    """Fetch a file to its final name, unless another process did so meanwhile."""
    fault = _fault(path, remote)
    if not fault:
        return
    if path.exists():
        _set_aside(path, fault, remote)
    partial = path.with_name(f"{path.name}.partial")
    transfer = _receive(remote, partial)
    fault = _fault(partial, remote)
    if fault and transfer.joined:  # the earlier bytes may be the bad ones
        log.warning("%s came in parts, but %s; fetched anew in one", path.name, fault)
        transfer.discard()
        transfer = _receive(remote, partial)
        fault = _fault(partial, remote)
    if fault:
        transfer.discard()
        raise DownloadError(f"{remote.url}: what came {fault}\n{_by_hand(remote)}")
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    transfer.discard()


def _set_aside(path: Path, fault: str, remote: Remote) -> None:
    """Move a wrong file out of the way; where nothing can replace it, it is left and named."""
    if offline():
        raise DownloadError(f"{path} {fault}, and TWOTOWER_OFFLINE is set\n{_by_hand(remote)}")
    aside = path.with_name(f"{path.name}.bad")
    log.warning("%s %s; set aside as %s and fetched again", path, fault, aside.name)
    path.replace(aside)


def _receive(remote: Remote, partial: Path) -> Transfer:
    """Bring what is missing of the partial file."""
    transfer = Transfer(remote.url, remote.size_bytes, partial)
    have, name = transfer.have(), remote.name
    if have >= remote.size_bytes:
        return transfer
    if offline():
        raise DownloadError(f"{name} is missing, and TWOTOWER_OFFLINE is set\n{_by_hand(remote)}")
    _require_space(partial.parent, remote.size_bytes - have, name)
    resumed = f", resumed at {have / 1e6:,.1f} MB" if have else ""
    size = f"{remote.size_bytes / 1e6:,.1f} MB"
    log.info("fetching %s (%s) from %s to %s%s", name, size, remote.url, partial.parent, resumed)
    try:
        transfer.run()
    except DownloadError as error:
        raise DownloadError(f"{error}\n{_by_hand(remote)}") from None
    return transfer


def _require_space(folder: Path, missing_bytes: int, name: str) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < missing_bytes:
        raise DownloadError(
            f"{folder} has {free_bytes:,} bytes free, but {name} needs {missing_bytes:,} more\n"
            "free some space, or name another folder in TWOTOWER_CACHE"
        )


def _by_hand(remote: Remote) -> str:
    """Say how to do without us."""
    return (
        f"it may be put by hand at\n  {place(remote)}\n"
        f"from {remote.url} ({remote.size_bytes:,} bytes, {remote.checksum})"
    )
