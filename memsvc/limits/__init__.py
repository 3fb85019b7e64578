"""How much a tenant or a key may ask for, write and have embedded."""
