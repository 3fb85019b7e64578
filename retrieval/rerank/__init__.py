"""The reranker: a cross-encoder reads the question and the few best memories together, within a budget of calls."""
