"""Imported by the server that processes are forked from: compiled scans are read once, and not by each of them."""

from gpu.warm_up import warm_up

warm_up()
