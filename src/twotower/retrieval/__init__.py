"""Finding passages: exact search, the FAISS index, BM25, fusion, and the searcher."""
