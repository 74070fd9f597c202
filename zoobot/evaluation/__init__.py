"""Comparison of predictions with the votes of held-out galaxies, and the report."""
