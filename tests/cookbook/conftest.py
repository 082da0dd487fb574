"""Each test of a script runs on both engines."""

from support.cookbook import engine, serve

__all__ = ["engine", "serve"]
