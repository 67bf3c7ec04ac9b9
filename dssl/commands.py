"""Commands around the steps: check a configuration, start one, verify results."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dssl.settings.screen import load_screen


def check(config: Annotated[Path, typer.Argument(help="a screen's YAML")]) -> None:
    """Validate a screen's settings and tables in seconds, and print what would run."""
    from dssl.check import check_screen

    console = Console(soft_wrap=True)
    screen = load_screen(config)
    result = check_screen(screen)
    for title, rows in result.tables.items():
        table = Table(title=title, title_justify="left", show_edge=False)
        for column in rows.columns:
            table.add_column(str(column), justify="right" if rows[column].dtype.kind in "if" else "left")
        for row in rows.itertuples(index=False):
            table.add_row(*map(str, row))
        console.print(table, "", markup=False)
    for line in result.remarks:
        console.print(f"({line})", "", markup=False, highlight=False)
    for line in result.notes:
        console.print(f"note: {line}", markup=False, highlight=False)
    for line in result.errors:
        console.print(f"error: {line}", style="bold red", markup=False, highlight=False)
    if result.errors:
        raise typer.Exit(2)
    console.print(f"{config}: nothing is wrong; run: snakemake --cores 8 --configfile {config}", markup=False)


def new_screen(
    tables: Annotated[list[Path], typer.Argument(help="plate tables; a table of molecules may be among them")],
    name: Annotated[str, typer.Option(help="name of the screen")] = "my-screen",
) -> None:
    """Write a commented starting YAML to the standard output, by looking at the tables."""
    from dssl.new_screen import describe_screen

    typer.echo(describe_screen(tables, name), nl=False)


def verify(results: Annotated[Path, typer.Argument(help="folder of a finished screen, results/<screen>")]) -> None:
    """Check that every artifact is there and is what the manifest says."""
    from dssl.manifest import verify as verify_results

    typer.echo(f"{results}: {verify_results(results)} artifacts are there and unchanged")


COMMANDS: dict[str, Callable[..., None]] = {"check": check, "new-screen": new_screen, "verify": verify}
