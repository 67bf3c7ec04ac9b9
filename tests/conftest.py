from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def repository() -> Path:
    """Folder of the repository."""
    return Path(__file__).resolve().parents[1]
