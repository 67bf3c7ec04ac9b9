"""Simulated and fetched screens."""

if SCREEN.simulate_screen:

    rule simulate_screen:
        output:
            molecules=f"{OUT}/simulate_screen/molecules.tsv",
            plates=expand(
                f"{OUT}/simulate_screen/plates/{{table}}.csv.gz", table=TABLES
            ),
            truth_wells=f"{OUT}/simulate_screen/truth_wells.tsv",
            truth_compounds=f"{OUT}/simulate_screen/truth_compounds.tsv",
            provenance=f"{OUT}/simulate_screen/provenance.json",
        log:
            f"logs/{SCREEN.screen}/simulate_screen.log",
        benchmark:
            f"logs/{SCREEN.screen}/simulate_screen.benchmark.tsv"
        conda:
            "../../environment.yml"
        resources:
            mem_mb=memory("simulate_screen"),
            runtime=runtime("simulate_screen"),
        params:
            settings=section("simulate_screen"),
            version=VERSION,
        shell:
            "dssl simulate_screen --settings {params.settings:q} --molecules {output.molecules} "
            "--plates {output.plates} --truth-wells {output.truth_wells} "
            "--truth-compounds {output.truth_compounds} --provenance {output.provenance} 2> {log}"


if SCREEN.fetch_screen:

    # where Snakemake runs there is the internet, on the nodes of many clusters there is not
    localrules:
        fetch_screen,

    rule fetch_screen:
        output:
            file=f"{OUT}/fetch_screen/{{file}}",
            provenance=f"{OUT}/fetch_screen/provenance/{{file}}.json",
        log:
            f"logs/{SCREEN.screen}/fetch_screen/{{file}}.log",
        benchmark:
            f"logs/{SCREEN.screen}/fetch_screen/{{file}}.benchmark.tsv"
        wildcard_constraints:
            file="|".join(map(re.escape, SCREEN.fetch_screen.files)),
        conda:
            "../../environment.yml"
        resources:
            mem_mb=memory("fetch_screen"),
            runtime=runtime("fetch_screen"),
        params:
            settings=section("fetch_screen"),
            version=VERSION,
        shell:
            "dssl fetch_screen --settings {params.settings:q} --file {output.file} "
            "--provenance {output.provenance} 2> {log}"
