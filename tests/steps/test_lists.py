from pathlib import Path

from dssl.settings.quality import ListFilesSettings
from dssl.steps.lists import PROFILES, QUALITY, RECORD, list_plates, list_records, listed


def test_lists_give_back_the_paths_in_their_order(tmp_path: Path) -> None:
    names = ["b 1", "007", "a"]
    for part in ("0", "1"):
        list_plates(
            settings=ListFilesSettings(),
            tables=[Path(f"t/{part}{name}.csv") for name in names],
            profiles=[Path(f"p/{part}{name}.h5ad") for name in names],
            quality=[Path(f"q/{part}{name}.tsv") for name in names],
            plates=tmp_path / f"{part}.tsv",
        )
    lists = [tmp_path / "0.tsv", tmp_path / "1.tsv"]
    assert listed(lists, PROFILES) == [Path(f"p/{part}{name}.h5ad") for part in "01" for name in names]
    assert listed(lists, QUALITY)[3] == Path("q/1b 1.tsv")


def test_records_are_listed(tmp_path: Path) -> None:
    paths = [Path("x.json"), Path("y.json")]
    list_records(settings=ListFilesSettings(), provenance_of=paths, records=tmp_path / "records.tsv")
    assert listed([tmp_path / "records.tsv"], RECORD) == paths
