"""The hub: the Parquet shards of one configuration of a dataset repository, complete and verified.

    commit = fetch("microsoft/ms_marco", "main", "v2.1", folder)

In: a repository, a revision, and a configuration, which is the repository's folder of that name.
Out: its shards in a folder, with the size and sha256 that the hub declares, and the commit that
they are of. huggingface_hub does the transfers, into its own cache and under its own variables
(HF_ENDPOINT, HF_HUB_OFFLINE, HF_HUB_CACHE, HF_HOME, HF_TOKEN).
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
from pathlib import Path, PurePosixPath

from twotower import downloads
from twotower.data.hub_calls import again, explained, quiet
from twotower.data.hub_listing import File, Wanted, cache_folder, cached, listed
from twotower.errors import DownloadError

log = logging.getLogger(__name__)


def fetch(repository: str, revision: str, config: str, folder: Path) -> str:
    """Put every shard `<config>/*.parquet` into `folder`; give the commit, 40 hex digits.

    Raises:
        DownloadError: the shards cannot be had; the message says why and what to do.
    """
    # Heeded when huggingface_hub is imported; a value of the user's stays.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import is_offline_mode

    offline = is_offline_mode() or downloads.offline()
    wanted = Wanted(repository, revision, config, cache_folder(), offline)
    with quiet(), explained(str(wanted)):
        snapshot, files = cached(wanted) if offline else listed(wanted)
        shards = _choose(files, wanted)
        absent = [shard for shard in shards if not (snapshot / shard.path).exists()]
        if offline and absent:
            raise wanted.lacks(_names([shard.path for shard in absent]))
        _require_space(absent, wanted)
        paths = [_verified(shard, wanted, snapshot) for shard in shards]
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            _link(path, folder / path.name)
    return snapshot.name


def _choose(files: list[File], wanted: Wanted) -> list[File]:
    """Give the configuration's shards; raises DownloadError where one is missing."""
    tables = {file.path: file for file in files if file.path.endswith(".parquet")}
    folders = {path: str(PurePosixPath(path).parent) for path in tables}
    shards = sorted(path for path in tables if folders[path] == wanted.config)
    if not shards:
        found = ", ".join(sorted(set(folders.values())))
        raise wanted.lacks(f"{wanted.config}/*.parquet" + (f" (but in {found})" if found else ""))
    expected = set()
    for path in shards:
        if numbered := re.fullmatch(r"(.+)-\d{5}-of-(\d{5})\.parquet", path):
            split, count = numbered.groups()
            expected |= {f"{split}-{n:05}-of-{count}.parquet" for n in range(int(count))}
    if missing := sorted(expected.difference(shards)):
        raise wanted.lacks(_names(missing))
    return [tables[path] for path in shards]


def _names(paths: list[str]) -> str:
    more = f" and {len(paths) - 10} more" if len(paths) > 10 else ""
    return f"{', '.join(paths[:10])}{more}"


def _require_space(coming: list[File], wanted: Wanted) -> None:
    """Raise DownloadError where the cache has no room for what is to come."""
    size_bytes = sum(file.size_bytes or 0 for file in coming)
    if not size_bytes:
        return
    log.info("fetching %d shards (%s MB) of %s", len(coming), f"{size_bytes / 1e6:,.1f}", wanted)
    wanted.cache.mkdir(parents=True, exist_ok=True)
    free_bytes = shutil.disk_usage(wanted.cache).free
    if free_bytes < size_bytes:
        raise DownloadError(
            f"{wanted.cache} has {free_bytes:,} bytes free, but {wanted} needs {size_bytes:,}\n"
            "free some space, or name another folder in TWOTOWER_CACHE"
        )


def _verified(file: File, wanted: Wanted, snapshot: Path) -> Path:
    """Give a file's path in the cache; bytes other than those declared are removed."""
    from huggingface_hub import hf_hub_download

    fault = ""
    for _ in range(1 if wanted.offline else 2):
        path = Path(
            again(
                lambda: hf_hub_download(
                    wanted.repository,
                    file.path,
                    repo_type="dataset",
                    revision=snapshot.name,
                    cache_dir=wanted.cache,
                    local_files_only=wanted.offline,
                )
            )
        )
        if not (fault := _fault(path, file)):
            return path
        log.warning("%s %s; removed from %s", file.path, fault, wanted.cache)
        path.resolve().unlink()
    raise wanted.lacks(f"sound {file.path} (it {fault})")


def _fault(path: Path, file: File) -> str:
    """Say what is wrong with a file; nothing if it is the declared one."""
    size_bytes = path.stat().st_size
    if file.size_bytes not in (None, size_bytes):
        return f"has {size_bytes:,} bytes instead of {file.size_bytes:,}"
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    return "" if file.sha256 in (None, found) else f"has sha256 {found} instead of {file.sha256}"


def _link(path: Path, target: Path) -> None:
    """Give a file of the cache another name, without its bytes if the disk allows."""
    target.unlink(missing_ok=True)  # copied over, it would change what it is linked to
    try:
        target.hardlink_to(path.resolve())
    except OSError:  # another disk, or one without links
        shutil.copyfile(path, target)
