"""The change log of a namespace, as callers may read and follow it."""
