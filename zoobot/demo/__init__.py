"""A simulated survey: galaxies of known truth, and volunteers who look at them."""
