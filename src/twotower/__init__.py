"""Two-tower text retrieval: small encoders, trained, measured and searched by a DVC pipeline."""
