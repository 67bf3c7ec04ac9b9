from pathlib import Path

from dssl.steps.registry import INPUT, OUTPUT, Input, Inputs, OptionalInput, Output, Outputs, paths_of


def example(
    *,
    seed: int,
    table: Input,
    plates: Inputs,
    extra: OptionalInput,
    other: OptionalInput,
    checkpoint: Path,
    model: Output,
    tables: Outputs,
) -> None:
    """A step with every kind of parameter."""


ARGUMENTS = {
    "seed": 0,
    "table": Path("t.csv"),
    "plates": [Path("a.h5ad"), Path("b.h5ad")],
    "extra": None,
    "other": Path("o.csv"),
    "checkpoint": Path("checkpoint"),
    "model": Path("m.safetensors"),
    "tables": [Path("w.csv")],
}


def test_what_a_step_reads_and_writes_is_told_by_its_annotations() -> None:
    assert paths_of(example, ARGUMENTS, INPUT) == {
        "table": [Path("t.csv")],
        "plates": [Path("a.h5ad"), Path("b.h5ad")],
        "extra": [],
        "other": [Path("o.csv")],
    }
    assert paths_of(example, ARGUMENTS, OUTPUT) == {"model": [Path("m.safetensors")], "tables": [Path("w.csv")]}
