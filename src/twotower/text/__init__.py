"""From text to token ids: words, vocabulary, vector files. Nothing here imports torch."""
