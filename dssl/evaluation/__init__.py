"""Retrieval, probes, dependence, statistics: arrays in, tables out."""
