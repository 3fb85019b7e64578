"""The bank on a device: pages in its memory with the layout that they have in the host's.

`pool` hands out device memory, `mirror` keeps the pages of one namespace equal to the host's, `coded` does so in a
coarser tier, `bank` holds the namespaces that fit, `searches` gathers what many threads ask into one launch, `nearest`
is a namespace that asks the device, and `found` says whether there is one. The operations that run over these pages are
in `gpu/ops`. Where there is no device the service loads neither these modules (but `found` and `rules`) nor torch.
"""
