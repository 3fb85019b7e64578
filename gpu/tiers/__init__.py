"""Precision tiers: how exactly a stored vector is kept, and how rows of different tiers are ranked together."""
