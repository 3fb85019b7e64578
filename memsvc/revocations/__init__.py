"""Revocations: everything that a writer, source or session brought in, taken back at once, with what rests on it."""
