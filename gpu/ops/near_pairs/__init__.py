"""Operation: pairs of memories that are nearly the same. The reference is the meaning, the kernels the speed."""
