"""Benchmarks: zeroserve beside nginx, h2o, lighttpd and Caddy, and how fast it starts."""
