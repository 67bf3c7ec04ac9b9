"""Disentangled shared and specific codes of molecules and their phenotypes, from plain tables."""

__version__ = "0.1.0"
