"""Multi-hop: what the best memories name leads to further ones, step by step, until nothing is gained by going on."""
