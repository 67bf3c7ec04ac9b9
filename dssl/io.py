"""Reading and writing files: atomically, and the same bytes for the same content."""

import csv
import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dssl.errors import IntegrityError, TableError
from dssl.keys import PROVENANCE

if TYPE_CHECKING:
    from anndata import AnnData

TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".parquet")
# of other files that hold wells, or molecules
_OTHER_ENDINGS = (".gct", ".gct.gz", ".gctx", ".h5ad", ".h5", ".npz", ".sqlite", ".sqlite3", ".db", ".sdf", ".sdf.gz")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` and move it there when the block ends well; leave nothing otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(folder) / path.name
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        os.rmdir(folder)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal; of a folder, that of its files' names and checksums."""
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file())
        listed = "".join(f"{sha256_of(each)}  {each.relative_to(path).as_posix()}\n" for each in files)
        return hashlib.sha256(listed.encode()).hexdigest()
    with open(path, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write valid JSON (NaN is refused) with sorted keys."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a table without its index; the ending (.csv, .tsv, their .gz, .parquet) says how."""
    with atomic_path(path) as temporary:
        if path.name.endswith(".parquet"):
            frame.to_parquet(temporary, index=False)
            return
        data = _csv(frame, "," if ".csv" in path.suffixes[-2:] else "\t").encode()
        temporary.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _csv(frame: pd.DataFrame, separator: str) -> str:
    texts = (frame[column] for column in frame if not pd.api.types.is_numeric_dtype(frame[column].dtype))
    if any(text.astype(str).str.contains("\r", regex=False).any() for text in texts):
        # the csv module leaves a carriage return bare unless all text is quoted, and readers end the row there
        return frame.to_csv(index=False, sep=separator, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    return frame.to_csv(index=False, sep=separator, lineterminator="\n")


def read_table(path: Path, columns: Sequence[str] | None = None, text_columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV, TSV (gzipped or not) or Parquet table.

    Parameters
    ----------
    path : Path
        The table; its ending says how it is written.
    columns : sequence of str, optional
        Read these columns only; all of them when left out.
    text_columns : sequence of str
        Columns read as text whatever they look like (identifiers such as 00123); missing cells stay missing.

    Raises
    ------
    TableError
        If the file is missing, empty, unreadable or of an unknown ending, lacks one of `columns`, or has rows
        longer than its header.
    """
    wanted = _wanted(path, columns)
    as_text = [column for column in text_columns if column in wanted]
    if path.name.endswith(".parquet"):
        return _as_text(pd.read_parquet(path, columns=wanted), as_text)
    return _read_csv(path, as_text)[wanted].astype(dict.fromkeys(as_text, object))


def read_table_batches(
    path: Path, columns: Sequence[str], text_columns: Sequence[str], n_rows: int
) -> Iterator[pd.DataFrame]:
    """Read a table as `read_table` does, `n_rows` rows at a time.

    Raises
    ------
    TableError
        As `read_table`.
    """
    wanted = _wanted(path, columns)
    as_text = [column for column in text_columns if column in wanted]
    if path.name.endswith(".parquet"):
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(path) as opened:
            # one row group after the other: threads would read ahead
            for group in range(opened.num_row_groups):
                for batch in opened.iter_batches(n_rows, row_groups=[group], columns=wanted, use_threads=False):
                    yield _as_text(batch.to_pandas()[wanted], as_text)
        return
    with _explained(path):
        for frame in pd.read_csv(path, sep=_separator(path), dtype=_text_types(as_text), chunksize=n_rows):
            yield _checked(path, frame)[wanted].astype(dict.fromkeys(as_text, object))


def _wanted(path: Path, columns: Sequence[str] | None) -> list[str]:
    present = table_columns(path)
    wanted = present if columns is None else list(dict.fromkeys(columns))
    missing = [column for column in wanted if column not in present]
    if missing:
        raise TableError(
            f"{path}: no column {', '.join(map(repr, missing))}; it has {', '.join(map(repr, present[:12]))}"
            f"{' ...' if len(present) > 12 else ''}\nCorrect the column's name in the settings."
        )
    return wanted


def _as_text(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    return frame.assign(**{column: frame[column].map(str, na_action="ignore") for column in columns})


def _text_types(columns: Sequence[str]) -> dict[str, str]:
    return dict.fromkeys(columns, "string[python]")


def _read_csv(path: Path, as_text: Sequence[str]) -> pd.DataFrame:
    # all columns are read: with a selection pandas would cut rows that are too long, and shift their cells, in silence
    with _explained(path):
        return _checked(path, pd.read_csv(path, sep=_separator(path), dtype=_text_types(as_text), low_memory=False))


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
        OSError,
        EOFError,
        ValueError,
    ) as error:
        raise TableError(f"{path}: cannot be read as a table ({error}); save it again as CSV, TSV or Parquet") from None


def _checked(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    if not isinstance(frame.index, pd.RangeIndex):
        raise TableError(
            f"{path}: rows have more cells than the header, which has {len(frame.columns)}\n"
            "Correct the separators and quotes, or add the missing names to the header."
        )
    return frame


def table_columns(path: Path) -> list[str]:
    """Names of a table's columns, without reading its rows.

    Raises
    ------
    TableError
        If the file is missing, empty, unreadable or of an unknown ending.
    """
    if not path.name.endswith(TABLE_ENDINGS):
        raise TableError(f"{path}: unknown kind of table; expected one of {', '.join(TABLE_ENDINGS)}")
    if not path.exists():
        raise TableError(f"{path}: there is no such file; correct the path in the settings")
    with _explained(path):
        if path.name.endswith(".parquet"):
            import pyarrow.parquet

            return list(pyarrow.parquet.read_schema(path).names)
        return list(pd.read_csv(path, sep=_separator(path), nrows=0).columns)


def _separator(path: Path) -> str:
    return "," if ".csv" in path.suffixes[-2:] else "\t"


def stem_of(path: Path) -> str:
    """File name without the ending of its format: `plates/P1.csv.gz` -> `P1`."""
    name = path.name
    for ending in sorted((*TABLE_ENDINGS, *_OTHER_ENDINGS), key=len, reverse=True):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def write_anndata(path: Path, adata: "AnnData", stamp: dict[str, str]) -> None:
    """Write an .h5ad atomically, with `stamp` (where it came from) in `uns`."""
    adata.uns[PROVENANCE] = stamp
    with atomic_path(path) as temporary:
        adata.write_h5ad(temporary, compression="gzip", convert_strings_to_categoricals=False)


def read_anndata(path: Path) -> "AnnData":
    """Read an .h5ad into memory.

    Raises
    ------
    IntegrityError
        If it is damaged.
    """
    import anndata

    with naming_damage(path):
        return anndata.read_h5ad(path)


@contextmanager
def naming_damage(path: Path) -> Iterator[None]:
    """Say which file it is that cannot be read, and what to do; a file that is not there is another matter."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:  # h5py and what reads through it raise a dozen kinds
        raise IntegrityError(
            f"{path}: cannot be read ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})\n"
            "It is damaged or was cut off. Remove it and start the workflow again, which makes it anew."
        ) from error
