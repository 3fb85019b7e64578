"""Operation: place scan. The reference is the meaning; the kernel is that of the entity scan."""
