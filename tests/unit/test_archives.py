"""Archives: only what is wanted, never outside the folder, and whole or an error."""

from __future__ import annotations

import gzip
import io
import random
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from small_corpus import files_of, tarred, write_tsv, zipped

from twotower import archives
from twotower.data import local
from twotower.errors import DataError

KINDS = {".zip": zipped, ".tar.gz": tarred, ".tgz": tarred, ".tar": tarred}


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return path


def tar_of(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def unpacked(archive: Path, folder: Path) -> dict[str, bytes]:
    """Unpack every file that is no README."""
    folder.mkdir()
    written = archives.unpack(archive, folder, lambda name: name != "README")
    found = files_of(folder)
    assert sorted(path.relative_to(folder).as_posix() for path in written) == sorted(found)
    return found


@pytest.mark.parametrize("suffix", [".zip", ".tgz"])
@pytest.mark.parametrize(
    ("name", "inner"),
    [
        ("a.tsv", "a.tsv"),
        ("./a.tsv", "a.tsv"),
        ("set/a.tsv", "a.tsv"),
        ("./deep/er/a.tsv", "a.tsv"),
        ("qrels/a.tsv", "qrels/a.tsv"),
        ("set/qrels/a.tsv", "qrels/a.tsv"),
        ("set\\qrels\\a.tsv", "qrels/a.tsv"),  # as some packers of Windows write
        ("set/README", None),
        ("../a.tsv", None),
        ("set/../../a.tsv", None),
        ("..\\a.tsv", None),
        ("/tmp/a.tsv", None),
        ("__MACOSX/set/._a.tsv", None),
        ("set/._a.tsv", None),
        ("..", None),
    ],
)
def test_where_a_member_lands(tmp_path: Path, suffix: str, name: str, inner: str | None) -> None:
    pack = zip_of if suffix == ".zip" else tar_of
    archive = pack(tmp_path / f"a{suffix}", {name: b"x"})
    before = set(tmp_path.rglob("*"))
    found = unpacked(archive, tmp_path / "inside")
    assert found == ({inner: b"x"} if inner else {})
    outside = {path for path in tmp_path.rglob("*") if tmp_path / "inside" not in path.parents}
    assert outside == before | {tmp_path / "inside"}


def test_links_devices_and_folders_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        kinds = (
            tarfile.SYMTYPE,
            tarfile.LNKTYPE,
            tarfile.FIFOTYPE,
            tarfile.CHRTYPE,
            tarfile.DIRTYPE,
        )
        for number, kind in enumerate(kinds):
            member = tarfile.TarInfo(f"{number}.tsv")
            member.type, member.linkname = kind, "/etc/hostname"
            archive.addfile(member)
    assert unpacked(path, tmp_path / "inside") == {}


@pytest.mark.parametrize("suffix", KINDS)
def test_all_kinds_and_sizes(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "COPY_BYTES", 1000)
    folder = tmp_path / "given"
    folder.mkdir()
    for size in (0, 1, 511, 512, 513, 999, 1000, 1001, 10_240, 30_000):
        (folder / f"{size}.tsv").write_bytes(random.Random(size).randbytes(size))
    archive = KINDS[suffix](folder, tmp_path / f"a{suffix}")
    assert unpacked(archive, tmp_path / "inside") == files_of(folder)


def test_many_gzip_members_are_one_tar(tmp_path: Path) -> None:
    whole = tarred(write_tsv(tmp_path / "given"), tmp_path / "a.tar").read_bytes()
    parts = [gzip.compress(whole[start : start + 5000]) for start in range(0, len(whole), 5000)]
    (tmp_path / "a.tar.gz").write_bytes(b"".join(parts))
    assert unpacked(tmp_path / "a.tar.gz", tmp_path / "inside") == files_of(tmp_path / "given")


@pytest.mark.parametrize("suffix", KINDS)
def test_cut_off_anywhere_is_never_taken_for_whole(tmp_path: Path, suffix: str) -> None:
    """A tar without its last members, or gzip without its end, is whole to tarfile."""
    folder = write_tsv(tmp_path / "given")
    archive = KINDS[suffix](folder, tmp_path / f"a{suffix}")
    whole = archive.read_bytes()
    ends = range(0, len(whole), max(1, len(whole) // 60))
    for number, end in enumerate(ends):
        archive.write_bytes(whole[:end])
        inside = tmp_path / str(number)
        try:
            found = unpacked(archive, inside)
        except DataError:
            continue
        else:  # only the padding of a plain tar is gone
            assert suffix == ".tar"
            assert found == files_of(folder)
            assert whole[end:].strip(b"\0") == b""


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_wrong_bit_is_never_taken_for_right(tmp_path: Path, suffix: str) -> None:
    """Both hold checksums, but tarfile's own stream does not look at gzip's."""
    folder = write_tsv(tmp_path / "given")
    archive = KINDS[suffix](folder, tmp_path / f"a{suffix}")
    whole, draw = archive.read_bytes(), random.Random(5)
    refused = 0
    for number in range(80):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        archive.write_bytes(damaged)
        try:
            found = unpacked(archive, tmp_path / str(number))
        except DataError:
            refused += 1
        else:  # a time, or a flag that says nothing about the content
            assert files_of(folder).items() <= found.items()
    assert refused > 40


def test_a_damaged_header_within_a_plain_tar(tmp_path: Path) -> None:
    members = {f"{name}.tsv": b"x" * 700 for name in ("one", "two", "three")}
    archive = tar_of(tmp_path / "a.tar", members)
    archive.write_bytes(archive.read_bytes().replace(b"two.tsv", b"2wo.tsv"))
    with pytest.raises(
        DataError, match=r"a\.tar: cannot be unpacked: a member's header is damaged"
    ):
        unpacked(archive, tmp_path / "inside")


def test_only_files_of_the_chosen_format_stay(tmp_path: Path) -> None:
    folder = write_tsv(tmp_path / "given")
    wanted = files_of(folder)
    (folder / "train.tsv").write_text("of pairs, which auto would take as well")
    (folder / "README").write_text("x")
    inside = tmp_path / "inside"
    inside.mkdir()
    local.fetch(zipped(folder, tmp_path / "a.zip"), "auto", inside)
    assert files_of(inside) == wanted


@pytest.mark.parametrize("name", ["a.zip", "a.ZIP", "a.tar.gz", "A.Tgz", "a.tar"])
def test_archives_are_told_by_their_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert archives.is_archive(tmp_path / name)
    (tmp_path / "a.gz").write_bytes(b"")
    assert not archives.is_archive(tmp_path / "a.gz")
    (tmp_path / "folder.zip").mkdir()
    assert not archives.is_archive(tmp_path / "folder.zip")


def test_a_full_disk_is_noticed_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = zipped(write_tsv(tmp_path / "given"), tmp_path / "a.zip")
    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"has 10 bytes free, but collection\.tsv needs \d+; free"):
        archives.unpack(archive, tmp_path / "out", lambda name: name == "collection.tsv")
    assert not (tmp_path / "out" / "collection.tsv").exists()
