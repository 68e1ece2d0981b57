"""Tests of core/memory/checkpoints."""
