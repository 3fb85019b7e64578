"""Small programs that use the memory; each needs a service at MEMSVC_URL and no LLM."""
