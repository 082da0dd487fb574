"""Tests of examples/scripts/python, one file for each script: how to test your own."""
