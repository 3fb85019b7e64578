"""Operation: Hopfield completion. The reference is the meaning, the kernel the speed."""
