"""Word vectors: files of every usual format, and vectors trained on the corpus itself."""
