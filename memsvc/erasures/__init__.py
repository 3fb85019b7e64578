"""Erasing for good: what is to go, carrying it out, its bytes, and the receipt."""
