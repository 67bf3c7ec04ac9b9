"""Which profile belongs to which molecule, splits, and leakage checks."""
