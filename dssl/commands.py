"""Commands around the steps: check a configuration, start one, verify results."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dssl.report.content import Section
from dssl.report.content import Table as ContentTable
from dssl.settings.screen import load_screen

PIPED_WIDTH = 200


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


def compare(
    results_a: Annotated[Path, typer.Argument(help="folder of a finished run, results/<screen>")],
    results_b: Annotated[Path, typer.Argument(help="folder of another, of the same screen or of another one")],
    neighbors: Annotated[int, typer.Option(min=1, help="nearest compounds that are compared")] = 10,
    moved: Annotated[int, typer.Option(min=0, help="compounds listed of those whose neighbours moved most")] = 10,
    bootstrap: Annotated[int, typer.Option(min=100, help="samples for intervals, permutations for p-values")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="of both")] = 0,
    json: Annotated[Path | None, typer.Option(help="write everything here as JSON")] = None,
    html: Annotated[Path | None, typer.Option(help="write it here as a page")] = None,
) -> None:
    """Show what changed between two runs or two screens: settings, data, retrieval, neighbours, what the codes know."""
    from dssl import __version__
    from dssl.compare.comparison import as_json
    from dssl.compare.comparison import compare as compare_results
    from dssl.compare.page import sections_of
    from dssl.io import write_json, write_text

    found = compare_results(results_a, results_b, neighbors, moved, bootstrap, seed)
    sections = sections_of(found)
    if json is not None:
        write_json(json, as_json(found))
    if html is not None:
        from dssl.report.page import render

        screens = " and ".join(dict.fromkeys((found.screen_a, found.screen_b)))
        write_text(html, render(f"Comparison: {screens}", screens, __version__, False, sections))
    _print_sections(sections)


def _print_sections(sections: list[Section]) -> None:
    """Sections as text; what is piped is not broken at the width of a terminal."""
    console = Console(soft_wrap=True)
    if not console.is_terminal:
        console = Console(width=PIPED_WIDTH, soft_wrap=True)
    for section in sections:
        console.print(f"{section.title}", style="bold", markup=False, highlight=False)
        for paragraph in section.paragraphs:
            console.print(paragraph, markup=False, highlight=False)
        for part in section.parts:
            if isinstance(part, ContentTable):
                _print_table(console, part)
        console.print()


def _print_table(console: Console, part: ContentTable) -> None:
    console.print("", part.caption, sep="\n", markup=False, highlight=False)
    table = Table(show_edge=False)
    for number, column in enumerate(part.columns):
        table.add_column(Text(column), justify="left" if number < part.n_labels else "right", overflow="fold")
    for row in part.rows:
        # a row of one cell is a heading
        style = "bold" if len(row) == 1 < len(part.columns) else None
        table.add_row(*(Text("\n".join(filter(None, (cell.text, cell.note)))) for cell in row), style=style)
    if part.rows:
        console.print(table)


COMMANDS: dict[str, Callable[..., None]] = {
    "check": check,
    "new-screen": new_screen,
    "verify": verify,
    "compare": compare,
}
