"""The memory bank (pages of rows) and its operations: a plain reference beside each kernel."""
