"""Pairs, splits, and what is fitted on training rows."""


rule pair_and_split:
    input:
        profiles=rules.assemble_profiles.output.profiles,
        features=PARTNER.output.features,
        aliases=rules.standardize_molecules.output.aliases,
    output:
        pairs=f"{OUT}/pair_and_split/pairs.h5mu",
        folds=f"{OUT}/pair_and_split/folds.tsv",
        well_folds=f"{OUT}/pair_and_split/well_folds.tsv.gz",
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
        mem_mb=memory("pair_and_split"),
        runtime=runtime("pair_and_split"),
    params:
        settings=section("pair_and_split"),
        version=VERSION,
    shell:
        "dssl pair_and_split --settings {params.settings:q} --profiles {input.profiles} "
        "--features {input.features} --aliases {input.aliases} --pairs {output.pairs} "
        "--folds {output.folds} --well-folds {output.well_folds} "
        "--excluded-wells {output.excluded_wells} "
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
        mem_mb=memory("fit_preprocessing"),
        runtime=runtime("fit_preprocessing"),
    params:
        settings=section("fit_preprocessing"),
        version=VERSION,
    shell:
        "dssl fit_preprocessing --settings {params.settings:q} --pairs {input.pairs} "
        "--fold {wildcards.fold} --state {output.state} --inputs {output.inputs} "
        "--provenance {output.provenance} 2> {log}"


rule compare_preprocessing:
    input:
        plates=expand(rules.list_plates.output.plates, part=PARTS),
        tables=list(TABLES.values()),
        quality=expand(rules.normalize_plate.output.quality, table=TABLES),
        plate_list=PLATE_LIST or [],
        metadata=METADATA,
        profiles=rules.assemble_profiles.output.profiles,
        pairs=rules.pair_and_split.output.pairs,
        aliases=rules.standardize_molecules.output.aliases,
    output:
        comparison=f"{OUT}/compare_preprocessing/comparison.tsv",
        figure=f"{OUT}/compare_preprocessing/comparison.svg",
        provenance=f"{OUT}/compare_preprocessing/provenance.json",
    log:
        f"logs/{SCREEN.screen}/compare_preprocessing.log",
    benchmark:
        f"logs/{SCREEN.screen}/compare_preprocessing.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("compare_preprocessing"),
        runtime=runtime("compare_preprocessing"),
    params:
        settings=section("compare_preprocessing"),
        normalize=section("normalize_plate"),
        assemble=section("assemble_profiles"),
        split=section("pair_and_split"),
        fit=section("fit_preprocessing"),
        columns=PLATES,
        plate_list=option("--plate-list", PLATE_LIST),
        metadata=option("--metadata", *METADATA),
        version=VERSION,
    shell:
        "dssl compare_preprocessing --settings {params.settings:q} --normalize {params.normalize:q} "
        "--assemble {params.assemble:q} --split {params.split:q} --fit {params.fit:q} "
        "--columns {params.columns:q} {params.plate_list} {params.metadata} "
        "--plates {input.plates} "
        "--profiles {input.profiles} --pairs {input.pairs} --aliases {input.aliases} "
        "--comparison {output.comparison} --figure {output.figure} "
        "--provenance {output.provenance} 2> {log}"
