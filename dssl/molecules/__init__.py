"""SMILES to standardised molecules to named features."""
