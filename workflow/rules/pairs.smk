"""Pairs, splits, and what is fitted on training rows."""


rule pair_and_split:
    input:
        profiles=rules.assemble_profiles.output.profiles,
        features=PARTNER.output.features,
        aliases=rules.standardize_molecules.output.aliases,
    output:
        pairs=f"{OUT}/pair_and_split/pairs.h5mu",
        folds=f"{OUT}/pair_and_split/folds.tsv",
        excluded_wells=f"{OUT}/pair_and_split/excluded_wells.tsv",
        excluded_compounds=f"{OUT}/pair_and_split/excluded_compounds.tsv",
        provenance=f"{OUT}/pair_and_split/provenance.json",
    log:
        f"logs/{SCREEN.screen}/pair_and_split.log",
    benchmark:
        f"logs/{SCREEN.screen}/pair_and_split.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=8000,
        runtime=30,
    params:
        settings=section("pair_and_split"),
        version=VERSION,
    shell:
        "dssl pair_and_split --settings {params.settings:q} --profiles {input.profiles} "
        "--features {input.features} --aliases {input.aliases} --pairs {output.pairs} "
        "--folds {output.folds} --excluded-wells {output.excluded_wells} "
        "--excluded-compounds {output.excluded_compounds} --provenance {output.provenance} 2> {log}"


rule fit_preprocessing:
    input:
        pairs=rules.pair_and_split.output.pairs,
    output:
        state=f"{OUT}/fit_preprocessing/fold~{{fold}}/state.safetensors",
        inputs=f"{OUT}/fit_preprocessing/fold~{{fold}}/inputs.h5mu",
        provenance=f"{OUT}/fit_preprocessing/fold~{{fold}}/provenance.json",
    log:
        f"logs/{SCREEN.screen}/fit_preprocessing/fold~{{fold}}.log",
    benchmark:
        f"logs/{SCREEN.screen}/fit_preprocessing/fold~{{fold}}.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        settings=section("fit_preprocessing"),
        version=VERSION,
    shell:
        "dssl fit_preprocessing --settings {params.settings:q} --pairs {input.pairs} "
        "--fold {wildcards.fold} --state {output.state} --inputs {output.inputs} "
        "--provenance {output.provenance} 2> {log}"
