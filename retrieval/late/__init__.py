"""Late interaction: how the states of a text's tokens are kept, and what they are compared as.

`codec` makes short codes of states; the comparison itself is the operation `gpu.ops.max_sim`.
"""
