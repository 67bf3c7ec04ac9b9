"""The explorer: one self-contained page in which a screen's codes can be looked at, compound by compound."""
