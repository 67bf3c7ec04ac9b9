"""What is fitted on training rows before training, and applied unchanged to everything else."""
