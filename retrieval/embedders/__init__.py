"""Ways to turn texts into vectors; every one obeys `retrieval.ports.Embedder`.

Nothing heavy is imported here: pick the module that is needed (`onnx`, `packaged`, `sentence_transformer`, `openai`,
`hashing`) and wrap it in `batching.BatchingEmbedder` to share it between threads.
"""
