"""Pages of memory rows, by namespace, and consistent views of them."""
