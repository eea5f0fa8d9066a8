"""Answers from the store: all numbers of an answer come from one snapshot."""
