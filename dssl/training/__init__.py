"""Views, minibatches, the fit loop, checkpoints."""
