"""Held-out retrieval beside its controls, and what each code knows."""


rule train_baseline:
    input:
        pairs=rules.pair_and_split.output.pairs,
        inputs=rules.fit_preprocessing.output.inputs,
    output:
        molecules=f"{OUT}/train_baseline/fold~{{fold}}/molecules.h5ad",
        tuning=f"{OUT}/train_baseline/fold~{{fold}}/tuning.tsv",
        provenance=f"{OUT}/train_baseline/fold~{{fold}}/provenance.json",
    params:
        settings=section("train_baseline"),
        version=VERSION,
    log:
        f"logs/{SCREEN.screen}/train_baseline/fold~{{fold}}.log",
    benchmark:
        f"logs/{SCREEN.screen}/train_baseline/fold~{{fold}}.benchmark.tsv"
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "dssl train_baseline --settings {params.settings:q} --pairs {input.pairs} "
        "--inputs {input.inputs} --molecules {output.molecules} --tuning {output.tuning} "
        "--provenance {output.provenance} 2> {log}"


rule evaluate_retrieval:
    input:
        inputs=rules.fit_preprocessing.output.inputs,
        wells=rules.embed.output.wells,
        treatments=rules.embed.output.treatments,
        compounds=rules.embed.output.compounds,
        molecules=rules.embed.output.molecules,
        baselines=rules.train_baseline.output.molecules,
    output:
        queries=f"{OUT}/evaluate_retrieval/fold~{{fold}}/queries.parquet",
        retrieval=f"{OUT}/evaluate_retrieval/fold~{{fold}}/retrieval.tsv",
        provenance=f"{OUT}/evaluate_retrieval/fold~{{fold}}/provenance.json",
    params:
        settings=section("evaluate_retrieval"),
        version=VERSION,
    log:
        f"logs/{SCREEN.screen}/evaluate_retrieval/fold~{{fold}}.log",
    benchmark:
        f"logs/{SCREEN.screen}/evaluate_retrieval/fold~{{fold}}.benchmark.tsv"
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "dssl evaluate_retrieval --settings {params.settings:q} --inputs {input.inputs} "
        "--wells {input.wells} --treatments {input.treatments} --compounds {input.compounds} "
        "--molecules {input.molecules} --baselines {input.baselines} --fold {wildcards.fold} "
        "--queries {output.queries} --retrieval {output.retrieval} "
        "--provenance {output.provenance} 2> {log}"
