"""Dropout passes of the head, and the posterior of the vote fractions."""
