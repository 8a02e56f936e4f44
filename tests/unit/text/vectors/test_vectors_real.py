"""The real GloVe file: every word of it, exactly, within the memory that it may take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

SCRIPT = """
import json, re, sys
from pathlib import Path
import numpy as np
import polars as pl
from twotower.text.vectors.readers import read_vectors
folder = Path(sys.argv[1])
words = pl.Series("word", (folder / "words.txt").read_text(encoding="utf-8").split("\\n"))
found = read_vectors(Path(sys.argv[2]), "auto", 50, words)
peak = re.search("VmHWM:\\\\s*([0-9]+) kB", Path("/proc/self/status").read_text())
np.save(folder / "vectors.npy", found.vectors_WE)
print(json.dumps([found.words.equals(words), found.words_in_file, found.repeated, int(peak[1])]))
"""


@pytest.mark.slice
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read in /proc")
def test_the_whole_file(tmp_path: Path, slice_folder: Path) -> None:
    path = slice_folder / "glove.6B.zip"
    with zipfile.ZipFile(path) as archive:
        lines = archive.read("glove.6B.50d.txt").decode("utf-8").removesuffix("\n").split("\n")
    words = "\n".join(line.partition(" ")[0] for line in lines)
    (tmp_path / "words.txt").write_text(words, encoding="utf-8")
    variables = {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path, path],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, **variables, "PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout
    all_found, words_in_file, repeated, peak_kib = json.loads(answer)
    assert (all_found, words_in_file, repeated) == (True, len(lines), 0)
    assert words_in_file == 400_000
    assert peak_kib < 1.5 * 2**20
    vectors_WE = np.load(tmp_path / "vectors.npy")
    for row in range(0, len(lines), 997):
        expected = np.array(lines[row].split(" ")[1:], np.float32)
        np.testing.assert_array_equal(vectors_WE[row], expected)
