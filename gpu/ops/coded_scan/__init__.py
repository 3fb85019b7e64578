"""Operation: the scan of vectors below half precision. The reference is the meaning, the kernel the speed."""
