"""A simulated survey: galaxies whose truth is known, and volunteers who look at them."""
