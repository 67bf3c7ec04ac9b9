"""Screens with planted factors."""
