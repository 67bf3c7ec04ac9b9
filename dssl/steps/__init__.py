"""One file-to-file function per step."""
