"""Operation: coarse search on a device, rescored exactly. The reference is the meaning, the kernel the speed."""
