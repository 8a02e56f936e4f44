"""The files that corpora are downloaded from: address, size and checksum of each.

Checksums are their publishers' own, or those of ir_datasets; docs/data.md tells more of each set.
"""

from __future__ import annotations

from twotower.downloads import Remote

MSMARCO_PASSAGE = Remote(
    url="https://msmarco.z22.web.core.windows.net/msmarcoranking/collectionandqueries.tar.gz",
    size_bytes=1_057_717_952,
    checksum="md5:31644046b18952c1386cd4564ba2ae69",
)
_BEIR_SITE = "https://public.ukp.informatik.tu-darmstadt.de/thakur/BEIR/datasets"
# The sets that have a train split.
_BEIR_FILES = {
    "msmarco": (1_082_258_632, "444067daf65d982533ea17ebd59501e4"),
    "nfcorpus": (2_448_432, "a89dba18a62ef92f7d323ec890a0d38d"),
    "hotpotqa": (654_025_350, "f412724f78b0d91183a0e86805e16114"),
    "fiqa": (17_948_027, "17918ed23cd04fb15047f73e6c3bd9d9"),
    "fever": (1_236_988_269, "5a818580227bfb4b35bb6fa46d9b6c03"),
    "scifact": (2_816_079, "5f7d1de60b170fc8027bb7898e2efca1"),
}
BEIR = {
    name: Remote(f"{_BEIR_SITE}/{name}.zip", size_bytes, f"md5:{md5}")
    for name, (size_bytes, md5) in _BEIR_FILES.items()
}
