"""Controls that a learned model has to beat."""
