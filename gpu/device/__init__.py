"""The bank on a device: pages in its memory.

`pool` hands out device memory. `page_mirror` keeps copies of a namespace's rows equal to the host's: `mirror` those of
its vectors, with the layout that they have there, and `attributes` (encoded by `attribute_groups`) those of all else
that memories are found by. `bank` holds the namespaces that fit and asks the host for the others (`host_channels`),
`searches` gathers what many threads ask into one launch, `nearest` is a namespace that asks the device, and `found`
says whether there is one. The operations that run over these pages are in `gpu/ops`. Where there is no device the
service loads neither these modules (but `found` and `rules`) nor torch.
"""
