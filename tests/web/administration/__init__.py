"""Tests of the pages of areas and settings."""
