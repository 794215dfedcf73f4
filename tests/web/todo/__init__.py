"""Tests of the to-do list."""
