"""Functions in the Python of scripts. Names of parameters say what they are given.

Values go in and out by their annotations; ``Stops: pattern`` in a docstring is a limit, besides
that of 64 bits, at which the compiled function may stop.
"""
