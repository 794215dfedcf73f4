"""Limits of requests and connections, so that a few clients cannot exhaust the memory or the files of a process."""
