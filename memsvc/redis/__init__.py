"""Redis, where there is one: what processes share for speed and fairness, and nothing that anybody would miss."""
