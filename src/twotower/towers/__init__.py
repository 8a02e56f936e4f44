"""Encoders, the pair of towers, their similarity and losses. Needs torch and numpy alone."""
