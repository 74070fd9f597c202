"""Representations of galaxies: the encoder's sweep, and their compression."""
