"""What a dataset repository has at a revision: as the hub lists it, or as its cache has it.

    wanted = Wanted("microsoft/ms_marco", "main", "v2.1", cache_folder(), offline=False)
    snapshot, files = listed(wanted)

Out: the commit's place in the cache, <repository>/snapshots/<commit>, which may be empty as yet,
and the files. The layout of the cache is the documented one of huggingface_hub.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from twotower import downloads
from twotower.data.hub_calls import BY_HAND, again, no_hub
from twotower.errors import DownloadError


@dataclass(frozen=True)
class Wanted:
    """What is asked for, and where huggingface_hub keeps it."""

    repository: str
    revision: str
    config: str
    cache: Path
    offline: bool

    def __str__(self) -> str:
        return f"{self.repository}, revision {self.revision}"

    def kept(self, *parts: str) -> Path:
        """Give a path in the cache: refs/<revision> or snapshots/<commit>/<path>."""
        return self.cache.joinpath(f"datasets--{self.repository.replace('/', '--')}", *parts)

    def lacks(self, what: str) -> DownloadError:
        """Give the error for files that are not there."""
        where, mend = "on the hub", "name another one"
        if self.offline:
            where = f"in the cache {self.cache}, and HF_HUB_OFFLINE or TWOTOWER_OFFLINE is set"
            mend = "unset it and run once"
        page = f"https://huggingface.co/datasets/{self.repository}/tree/{self.revision}"
        return DownloadError(
            f"{self}: no {what} {where}\n{mend}, or {BY_HAND}\nthey are at {page}/{self.config}"
        )


@dataclass(frozen=True)
class File:
    """A file of the repository, and what is declared of it, where anything is."""

    path: str
    size_bytes: int | None = None
    sha256: str | None = None


def cache_folder() -> Path:
    """Give $TWOTOWER_CACHE/hub; huggingface_hub's own, if HF_HUB_CACHE or HF_HOME name it."""
    from huggingface_hub import constants

    theirs = os.environ.get("HF_HUB_CACHE") or os.environ.get("HF_HOME")
    if os.environ.get("TWOTOWER_CACHE") and not theirs:
        return downloads.cache_folder() / "hub"
    return Path(constants.HF_HUB_CACHE).absolute()


def listed(wanted: Wanted) -> tuple[Path, list[File]]:
    """Give the commit's place in the cache and all files as the hub lists them."""
    from huggingface_hub import HfApi, constants

    try:
        # The one listing with a time limit: list_repo_tree and snapshot_download wait for ever.
        info = again(
            lambda: HfApi().dataset_info(
                wanted.repository,
                revision=wanted.revision,
                timeout=constants.HF_HUB_ETAG_TIMEOUT,
                files_metadata=True,
            )
        )
    except (KeyError, TypeError):  # JSON of another kind
        raise no_hub() from None
    if not info.sha or not re.fullmatch(r"[0-9a-f]{40}", info.sha):
        raise no_hub()
    _keep_listing(wanted, info.sha)
    return wanted.kept("snapshots", info.sha), [
        File(file.rfilename, file.size, file.lfs.sha256 if file.lfs else None)
        for file in info.siblings or []
    ]


def _keep_listing(wanted: Wanted, commit: str) -> None:
    """Keep in the cache what offline use needs: the commit's files, and that `revision` is it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    with disable_progress_bars():
        # No file matches; but it keeps the listing, unless the cache has it.
        snapshot_download(
            wanted.repository,
            repo_type="dataset",
            revision=commit,
            cache_dir=wanted.cache,
            allow_patterns=[],
        )
    ref = wanted.kept("refs", wanted.revision)
    # Written only if new: the cache may be one that can only be read.
    if wanted.revision != commit and not (ref.is_file() and ref.read_text() == commit):
        ref.parent.mkdir(parents=True, exist_ok=True)
        partial = ref.with_name(f".{ref.name}.{os.getpid()}")
        partial.write_text(commit)
        partial.replace(ref)


def cached(wanted: Wanted) -> tuple[Path, list[File]]:
    """Give the same as the cache has it: all files of the listing, whether they are there or not.

    A cache that others filled may have no listing; then the files are those that are there.
    """
    from huggingface_hub import HfApi, get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError, RevisionResolutionError

    try:
        revision = HfApi().resolve_revision(
            wanted.repository,
            repo_type="dataset",
            revision=wanted.revision,
            cache_dir=wanted.cache,
            local_files_only=True,
        )
    except RevisionResolutionError:
        raise wanted.lacks("copy") from None
    snapshot = wanted.kept("snapshots", revision.resolved)
    there = (path for path in snapshot.rglob("*.parquet") if path.is_file())
    sizes: dict[str, int | None] = {path.relative_to(snapshot).as_posix(): None for path in there}
    with contextlib.suppress(CachedRepoTreeNotFoundError):
        tree = get_cached_repo_tree(
            wanted.repository, repo_type="dataset", revision=revision, cache_dir=wanted.cache
        )
        sizes |= {file.path: file.size for file in tree}
    return snapshot, [File(name, size, _sha256(snapshot / name)) for name, size in sizes.items()]


def _sha256(path: Path) -> str | None:
    """Give the sha256 that a file of the cache should have: what it links to is called so."""
    blob = path.readlink().name if path.is_symlink() else ""
    return blob if re.fullmatch("[0-9a-f]{64}", blob) else None
