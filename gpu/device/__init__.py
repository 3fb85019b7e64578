"""The bank on a device: pages in its memory.

`pool` hands out device memory, or pinned memory of the host, and `staging` is the way of rows to it. `page_mirror`
keeps the pages of one namespace, or of a part of one, equal to the host's: `mirror` those of its vectors, with the
layout that they have there, `coded` the same in a coarser tier, and `attributes` (encoded by `attribute_groups`) those
of all else that memories are found by; `segment_copy` is both. `masks` keeps which memories a filter lets through,
`kept_plan` how the last search was cut; `copies` is what one device holds of the namespaces, and searches it; `pinned`
keeps what made room there. `spread` says which device has what, and `bank` searches all of them: `query` is what it is
asked, `answers` joins what the devices found, `names` says which memories these are, `best` and `channel_bests` are
what comes back, `host_channels` is how the host answers what the devices cannot, `residency` has their figures.
`searches` gathers what many threads ask into one search, `nearest` is a namespace that asks a device, and `found` says
whether there is one.

The operations that run over these pages are in `gpu/ops`. Where there is no device the service loads neither these
modules (but `found`, `residency` and `rules`) nor torch.
"""
