"""Operation: interval scan. The reference is the meaning, the kernel the speed."""
