"""An approximate index for a namespace that has outgrown the exact scan."""
