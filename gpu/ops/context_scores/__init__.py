"""Operation: context scores. The reference is the meaning, the kernel the speed."""
