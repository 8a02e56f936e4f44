"""Measuring rankings: metrics, runs in TREC's form, significance, the results table."""
