"""Operation: max-sim over token codes. The reference is the meaning, the kernel the speed."""
