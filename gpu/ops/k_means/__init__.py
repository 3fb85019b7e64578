"""Operation: clusters of rows on the unit sphere. The reference is the meaning, faiss the speed."""
