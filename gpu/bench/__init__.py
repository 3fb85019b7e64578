"""How fast the operations run on a device, beside what they cannot be faster than and what others take.

    python -m gpu.bench [--op NAME] [--out FOLDER]

`timing` times, and measures the bandwidth that no operation exceeds; `namespaces` makes the rows and `descriptions`
what they speak of; there is a module for each operation, which checks an answer against the reference before it times
it.
"""
