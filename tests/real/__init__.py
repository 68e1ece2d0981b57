"""Whole conversations with a real model: llama.cpp's own server and a small open model, both from the package index."""
