"""Resumable uploads and batches."""
