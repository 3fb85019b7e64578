"""What an API key looks like."""

from __future__ import annotations

PREFIX = "msk_"
SECRET_BYTES = 32
KEY = rf"{PREFIX}[A-Za-z0-9_-]{{43}}"
"""Pattern of a whole key: 32 random bytes in base 64. What may follow is for whoever searches to say."""
