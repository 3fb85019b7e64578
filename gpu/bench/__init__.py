"""How fast the operations run on a device, beside what they cannot be faster than and what others take.

    python -m gpu.bench [--op NAME] [--out FOLDER]

`shapes` names the work, `floor` measures the device, `timing` times, and there is a module for each operation.
"""
