"""Tests of exports by a job."""
