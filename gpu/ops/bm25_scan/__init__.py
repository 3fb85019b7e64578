"""Operation: bm25 scan. The reference is the meaning, the kernel the speed."""
