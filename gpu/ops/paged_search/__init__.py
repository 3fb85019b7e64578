"""Operation: paged search on a device. The reference is the meaning, the kernel the speed."""
