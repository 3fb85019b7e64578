"""Operation: top memories. The reference is the meaning, the kernel the speed."""
