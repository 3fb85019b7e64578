"""Moving a namespace to another embedding model while it is in use, and back."""
