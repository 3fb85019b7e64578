"""Quality of recall: real sets and generated abilities over the public API, ablation, latency, and who fitted on what.

    python -m benchmarks.quality --help

`docs/quality.md` says how to run it and how to read the figures.
"""
