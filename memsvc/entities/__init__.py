"""Entities: who and what the memories of a namespace mention, and which names stand for the same."""
