"""Readers of the files that hold wells: one module per format, all behind `open_wells`."""
