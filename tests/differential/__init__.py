"""Small functions of scripts, run by CPython and compiled, with the same random arguments.

``cases`` has the functions, ``strategies`` the arguments, ``harness`` makes a script of them and
compares. ``tests/test_script_differential.py`` does so quickly; ``python -m tests.differential``
at length.
"""
