"""Operation: spread. The reference is the meaning, the kernel the speed."""
