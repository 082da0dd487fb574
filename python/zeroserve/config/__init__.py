"""What operators write in files, read into typed values: one module for each format.

``.zeroserve/zeroserve.toml`` of a site belongs to its generation, a file given with ``--config``
to the process.
"""
