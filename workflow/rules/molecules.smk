"""SMILES to features."""


rule standardize_molecules:
    input:
        table=MOLECULES,
    output:
        molecules=f"{OUT}/standardize_molecules/molecules.tsv",
        aliases=f"{OUT}/standardize_molecules/aliases.tsv",
        rejected=f"{OUT}/standardize_molecules/rejected.tsv",
        merged=f"{OUT}/standardize_molecules/merged.tsv",
        changed=f"{OUT}/standardize_molecules/changed.tsv",
        provenance=f"{OUT}/standardize_molecules/provenance.json",
    log:
        f"logs/{SCREEN.screen}/standardize_molecules.log",
    benchmark:
        f"logs/{SCREEN.screen}/standardize_molecules.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=section("standardize_molecules"),
        columns=section("molecules"),
        version=VERSION,
    shell:
        "dssl standardize_molecules --settings {params.settings:q} --columns {params.columns:q} "
        "--table {input.table} --molecules {output.molecules} --aliases {output.aliases} "
        "--rejected {output.rejected} --merged {output.merged} --changed {output.changed} --threads {threads} "
        "--provenance {output.provenance} 2> {log}"


rule featurize_molecules:
    input:
        molecules=rules.standardize_molecules.output.molecules,
    output:
        features=f"{OUT}/featurize_molecules/features.h5ad",
        provenance=f"{OUT}/featurize_molecules/provenance.json",
    log:
        f"logs/{SCREEN.screen}/featurize_molecules.log",
    benchmark:
        f"logs/{SCREEN.screen}/featurize_molecules.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=section("featurize_molecules"),
        version=VERSION,
    shell:
        "dssl featurize_molecules --settings {params.settings:q} --molecules {input.molecules} "
        "--features {output.features} --threads {threads} "
        "--provenance {output.provenance} 2> {log}"
