"""A hub on this machine, with one dataset repository, by the addresses that huggingface_hub asks.

    with Hub() as hub:
        hub.publish(COMMIT, {"v1.1/train-00000-of-00001.parquet": content}, "main")
        hub.api.next_answers(hub.listing("main"), Fault(status=500))
        ...fetch with HF_ENDPOINT=hub.url...
        assert hub.ranges(content) == [None]

`api` answers the listing and the tree (GET) and, as the real hub does, each file's HEAD with a
redirect to another host that tells commit, size and sha256. `cdn` is that host, with the bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from types import TracebackType
from typing import Self

from http_server import Fault, Server

REPOSITORY = "microsoft/ms_marco"


class Hub:
    """Two servers; `api` and `cdn` keep their requests, and fail where they are told to."""

    def __init__(self) -> None:
        self.api, self.cdn = Server(), Server()
        self.url = self.api.url("")

    def __enter__(self) -> Self:
        self.api.__enter__()
        self.cdn.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.cdn.__exit__(kind, error, at)
        self.api.__exit__(kind, error, at)

    def publish(self, commit: str, files: Mapping[str, bytes], *branches: str) -> None:
        """Add a commit and let the branches be at it."""
        listing = {
            "id": REPOSITORY,
            "sha": commit,
            "private": False,
            "gated": False,
            "siblings": [_sibling(path, content) for path, content in files.items()],
        }
        for revision in (commit, *branches):
            self.api.files[self.listing(revision)] = json.dumps(listing).encode()
        self.api.files[self.tree(commit)] = json.dumps(_tree(files)).encode()
        for path, content in files.items():
            sha256 = hashlib.sha256(content).hexdigest()
            self.cdn.files[self.place(content)] = content
            head = {
                "Location": self.cdn.url(self.place(content)),
                "X-Repo-Commit": commit,
                "X-Linked-Etag": f'"{sha256}"',
                "X-Linked-Size": str(len(content)),
            }
            self.api.always[self.file(commit, path)] = Fault(status=302, headers=head)

    def offer_xet(self, commit: str, path: str) -> None:
        """Offer a file by xet too, whose server is the CDN, and does not have it."""
        token = f"/api/datasets/{REPOSITORY}/xet-read-token/{commit}"
        right = self.api.always[self.file(commit, path)]
        offer = {"X-Xet-Hash": "ab" * 32, "X-Xet-Refresh-Route": self.api.url(token)}
        self.api.always[self.file(commit, path)] = replace(
            right, headers={**right.headers, **offer}
        )
        token_head = {"X-Xet-Access-Token": "a", "X-Xet-Token-Expiration": str(1 << 32)}
        self.api.files[token] = b"{}"
        self.api.always[token] = Fault(headers={"X-Xet-Cas-Url": self.cdn.url(""), **token_head})

    def refuse(self, revision: str, status: int, code: str, message: str) -> None:
        """Answer the listing of a revision with an error in the real hub's headers."""
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        self.api.always[self.listing(revision)] = Fault(status=status, headers=headers)

    def listing(self, revision: str) -> str:
        """Give the path of a revision's listing."""
        return f"/api/datasets/{REPOSITORY}/revision/{revision}"

    def tree(self, commit: str) -> str:
        """Give the path of a commit's tree, the listing that huggingface_hub keeps."""
        return f"/api/datasets/{REPOSITORY}/tree/{commit}"

    def file(self, commit: str, path: str) -> str:
        """Give the path of a file's HEAD."""
        return f"/datasets/{REPOSITORY}/resolve/{commit}/{path}"

    def place(self, content: bytes) -> str:
        """Give the path of content on the CDN."""
        return f"/{hashlib.sha256(content).hexdigest()}"

    @property
    def asked(self) -> list[str]:
        """What `api` was asked, in order."""
        return [f"{request.method} {request.path}" for request in self.api.requests]

    def ranges(self, content: bytes) -> list[str | None]:
        """Give the Range of each request for content."""
        place = self.place(content)
        return [request.range for request in self.cdn.requests if request.path == place]


def _tree(files: Mapping[str, bytes]) -> list[dict[str, object]]:
    """Describe files, and the folders that they are in, as the tree does."""
    folders = {str(PurePosixPath(path).parent) for path in files} - {"."}
    entries: list[dict[str, object]] = [
        {"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in sorted(folders)
    ]
    for path, content in files.items():
        oid = hashlib.sha1(content).hexdigest()
        entries.append({"type": "file", "path": path, "oid": oid, "size": len(content)})
        if path.endswith(".parquet"):
            oid = hashlib.sha256(content).hexdigest()
            entries[-1]["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 134}
    return entries


def _sibling(path: str, content: bytes) -> dict[str, object]:
    """Describe a file as the listing does; Parquet is in LFS, whose blob is a pointer."""
    described = {"rfilename": path, "blobId": hashlib.sha1(content).hexdigest()}
    if not path.endswith(".parquet"):
        return {**described, "size": len(content)}
    sha256 = hashlib.sha256(content).hexdigest()
    lfs = {"sha256": sha256, "size": len(content), "pointerSize": 134}
    return {**described, "size": len(content), "lfs": lfs}
