"""Encryption at rest: keys, what they seal, and how rows that are there are sealed. See docs/encryption.md."""
