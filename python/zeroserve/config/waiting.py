"""Who is told that something takes long: nobody, unless a program says so."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

around: Callable[[str], AbstractContextManager[object]] = nullcontext
"""Makes the block in which it happens; takes what it is, in words."""
