"""How fast the engine is, as ratios to yardsticks that are measured beside it in the same run.

Machines differ and are noisy, so a figure of its own says little: every figure here has a yardstick, and both sides are
measured in turns, several times each, after a warm-up. What counts is the ratio of the medians. `fsync` and
`synchronous_commit` are on throughout, and what was measured ends with the books check.
"""
