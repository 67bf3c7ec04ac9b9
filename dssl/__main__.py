"""`python -m dssl`: the same as `dssl`, and what `torchrun` starts."""

from dssl.cli import main

if __name__ == "__main__":
    main()
