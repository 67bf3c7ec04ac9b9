"""Plates of wells to one AnnData of comparable profiles."""
