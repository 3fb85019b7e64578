"""Operation: every channel in one pass over a namespace's attributes on a device. The reference is the meaning."""
