"""Batches, false-negative masks, the training loop and its watch. Needs torch and numpy alone."""
