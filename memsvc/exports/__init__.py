"""A namespace as one signed file, and back."""
