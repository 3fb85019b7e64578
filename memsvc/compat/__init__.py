"""Interfaces of other memory services, over the same services as `/v1`."""
