"""What changed between two finished runs, or two screens."""
