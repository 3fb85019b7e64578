"""Ways of finding memories, one module each; every one obeys `retrieval.ports.Channel`."""
