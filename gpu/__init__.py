"""The memory bank (pages of rows) and its operations: a plain reference beside each kernel."""

from gpu.warming import warm_up

__all__ = ["warm_up"]
