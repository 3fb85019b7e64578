"""How fast the operations run on a device, beside what they cannot be faster than and what others take.

    python -m gpu.bench [--op NAME] [--out FOLDER] [--no-tests] [--no-plot]

A module for each operation, named in `__main__`: its tests must pass, and it checks an answer against the reference,
before anything is timed. `timing` times, and measures the bandwidth and the products that no operation exceeds;
`namespaces` makes the rows and `descriptions` what they speak of; `peers` is faiss on the same device and data;
`results` writes a table for each operation, `plot` draws them.
"""
