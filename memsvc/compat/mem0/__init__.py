"""The REST interface that the Python client of mem0 calls."""
