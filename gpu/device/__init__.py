"""The bank on a device: pages in its memory with the layout that they have in the host's.

`pool` hands out device memory, `mirror` keeps the pages of one namespace equal to the host's, `bank` holds the
namespaces that fit. The operations that run over these pages are in `gpu/ops`. torch is imported here and there alone:
without a device nothing of this is loaded.
"""
