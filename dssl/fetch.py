"""Public files: from a folder that has them, or from their pinned address; always verified."""

import logging
import os
import shutil
from pathlib import Path

from dssl.errors import IntegrityError, TableError
from dssl.io import atomic_path, sha256_of
from dssl.settings.preparation import PublicFile

logger = logging.getLogger(__name__)

MIRROR_VARIABLE = "DSSL_MIRROR"
CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 60


def fetch_file(file: PublicFile, path: Path, folder: str | None) -> None:
    """Bring a public file to `path`.

    It is copied from the folder in the variable DSSL_MIRROR (or from a folder in it), or else from `folder`, where one of
    them is given; otherwise it is downloaded from its address, going on from where an interrupted download stopped.

    Raises
    ------
    TableError
        If the folder does not hold the file, or there is neither folder nor address, or the download fails.
    IntegrityError
        If the file does not have the promised checksum.
    """
    mirror = mirror_folder(folder)
    if mirror is None and file.address is None:
        raise TableError(
            f"{path.name}: this file has no public address; name the folder that holds it "
            f"in fetch_screen.folder or in the variable {MIRROR_VARIABLE}"
        )
    with atomic_path(path) as temporary:
        if mirror is not None:
            _copy(in_mirror(mirror, path.name), temporary, file.sha256)
        else:
            _download(str(file.address), path, temporary, file.sha256)
    logger.info("%s: verified (sha256 %s), licence %s", path.name, file.sha256[:12], file.licence)


def mirror_folder(folder: str | None) -> Path | None:
    """Folder to take public files from: the variable DSSL_MIRROR, else `folder` (fetch_screen.folder), else none."""
    named = os.environ.get(MIRROR_VARIABLE) or folder
    return Path(named) if named else None


def in_mirror(mirror: Path, name: str) -> Path:
    """Where a mirror holds a file: in itself, or in one of its folders where it has one for each screen."""
    inner = sorted(mirror.glob(f"*/{name}"))
    return inner[0] if inner and not (mirror / name).exists() else mirror / name


def _copy(source: Path, target: Path, sha256: str) -> None:
    if not source.exists():
        raise TableError(
            f"{source.name}: not in the folder {source.parent}; correct fetch_screen.folder or {MIRROR_VARIABLE}"
        )
    found = sha256_of(source)
    if found != sha256:
        raise IntegrityError(
            f"{source}: its sha256 is {found}, expected {sha256}\n"
            "Replace it by the original file, or correct fetch_screen.files if another version is meant."
        )
    shutil.copyfile(source, target)


def _download(address: str, path: Path, target: Path, sha256: str) -> None:
    import pooch
    import requests

    partial = path.with_name(f"{path.name}.part")
    try:
        pooch.retrieve(
            address,
            known_hash=f"sha256:{sha256}",
            path=target.parent,
            fname=target.name,
            downloader=_Resuming(partial),
        )
    except requests.RequestException as error:
        raise TableError(
            f"{path.name}: cannot be downloaded ({type(error).__name__} at {address})\n"
            f"Run the command again to go on, or put the file into a folder and name it in {MIRROR_VARIABLE}."
        ) from None
    except ValueError as error:
        partial.unlink(missing_ok=True)
        raise IntegrityError(f"{path.name}: what {address} delivers is not the promised file: {error}") from None
    partial.unlink(missing_ok=True)


class _Resuming:
    """A downloader for pooch that keeps what it has in a .part file and asks the server for the rest."""

    def __init__(self, partial: Path) -> None:
        self.partial = partial

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        import requests

        have = self.partial.stat().st_size if self.partial.exists() else 0
        headers = (
            {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {"Accept-Encoding": "identity"}
        )
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
            complete = response.status_code == requests.codes.requested_range_not_satisfiable
            if not complete:
                response.raise_for_status()
                resumed = response.status_code == requests.codes.partial_content
                with open(self.partial, "ab" if resumed else "wb") as opened:
                    for chunk in response.iter_content(CHUNK_BYTES):
                        opened.write(chunk)
        shutil.copyfile(self.partial, output_file)
