"""Measured ratios, each beside a check that both sides give the same answer."""
