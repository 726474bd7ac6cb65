"""Metric learning: which properties of an image an embedding reacts to.

After Kobs 2023, "Think outside the Black Box: Model-Agnostic Deep Learning with Domain Knowledge",
chapters 7, 9, 11 and 13. Importing this package loads no torch, so the web process may.
"""
