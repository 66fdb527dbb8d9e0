"""Tokens in, tokens out: the room that owns MLX.

Importing this package imports no MLX; `blas.load` has to run before anything here does.
"""
