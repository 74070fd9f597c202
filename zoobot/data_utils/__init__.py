"""Catalogues, splits, images, shards and HDF5 files."""
