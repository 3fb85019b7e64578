"""The bank on a device: pages in its memory with the layout that they have in the host's.

`pool` hands out device memory, `mirror` keeps the pages of one namespace equal to the host's, `bank` holds the
namespaces that fit. The operations that run over these pages are in `gpu/ops`. The service does not use it yet, and
loads neither this nor torch for it.
"""
