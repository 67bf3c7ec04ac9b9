"""Settings of every step: names, types, units and defaults, and nowhere else."""
