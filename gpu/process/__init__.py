"""One process that has the device, for many that serve.

`server` follows the namespaces itself and answers searches over a local socket: all that wait go into one launch.
`served` counts what it did.
`client` asks it, one socket for each thread, and gives up after a moment. `messages` are what goes between them
(ZeroMQ carries them, MessagePack writes them; docs/decisions/0015-gpu-process.md).
"""
