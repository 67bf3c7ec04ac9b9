"""Held-out retrieval beside its controls, and what each code knows."""


rule evaluate_retrieval:
    input:
        pairs=rules.pair_and_split.output.pairs,
        inputs=rules.fit_preprocessing.output.inputs,
        wells=rules.embed_screen.output.wells,
        treatments=rules.embed_screen.output.treatments,
        compounds=rules.embed_screen.output.compounds,
        molecules=rules.embed_screen.output.molecules,
        baselines=rules.train_baseline.output.molecules,
        learned=expand(
            rules.select_learned_baseline.output.codes,
            method=LEARNED,
            allow_missing=True,
        ),
        activity=rules.call_activity.output.activity,
    output:
        queries=f"{OUT}/evaluate_retrieval/fold~{{fold}}/queries.parquet",
        permutations=f"{OUT}/evaluate_retrieval/fold~{{fold}}/permutations.parquet",
        neighbors=f"{OUT}/evaluate_retrieval/fold~{{fold}}/neighbors.parquet",
        neighbor_permutations=f"{OUT}/evaluate_retrieval/fold~{{fold}}/neighbor_permutations.parquet",
        described=f"{OUT}/evaluate_retrieval/fold~{{fold}}/compounds.tsv",
        doses=f"{OUT}/evaluate_retrieval/fold~{{fold}}/doses.tsv",
        provenance=f"{OUT}/evaluate_retrieval/fold~{{fold}}/provenance.json",
    log:
        f"logs/{SCREEN.screen}/evaluate_retrieval/fold~{{fold}}.log",
    benchmark:
        f"logs/{SCREEN.screen}/evaluate_retrieval/fold~{{fold}}.benchmark.tsv"
    group:
        small("evaluation")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("evaluate_retrieval"),
        runtime=runtime("evaluate_retrieval"),
    params:
        settings=section("evaluate_retrieval"),
        learned=lambda wildcards, input: option("--learned", input.learned),
        version=VERSION,
    shell:
        "dssl evaluate_retrieval --settings {params.settings:q} --pairs {input.pairs} --inputs {input.inputs} "
        "--wells {input.wells} --treatments {input.treatments} --compounds {input.compounds} "
        "--molecules {input.molecules} --baselines {input.baselines} {params.learned} "
        "--activity {input.activity} --fold {wildcards.fold} --queries {output.queries} "
        "--permutations {output.permutations} --neighbors {output.neighbors} "
        "--neighbor-permutations {output.neighbor_permutations} --described {output.described} "
        "--doses {output.doses} "
        "--provenance {output.provenance} 2> {log}"


rule evaluate_disentanglement:
    input:
        pairs=rules.pair_and_split.output.pairs,
        state=rules.fit_preprocessing.output.state,
        models=rules.select_model.output.selected_models,
        sweep_models=expand(
            rules.train_shared.output.model, beta=BETAS, seed=SEEDS, allow_missing=True
        ),
        tables=[table for table in (PROBE_WELLS, PROBE_COMPOUNDS) if table],
    output:
        probes=f"{OUT}/evaluate_disentanglement/fold~{{fold}}/probes.tsv",
        dependence=f"{OUT}/evaluate_disentanglement/fold~{{fold}}/dependence.tsv",
        information=f"{OUT}/evaluate_disentanglement/fold~{{fold}}/information.tsv",
        attribution=f"{OUT}/evaluate_disentanglement/fold~{{fold}}/attribution.tsv",
        leakage=f"{OUT}/evaluate_disentanglement/fold~{{fold}}/leakage.tsv",
        provenance=f"{OUT}/evaluate_disentanglement/fold~{{fold}}/provenance.json",
    log:
        f"logs/{SCREEN.screen}/evaluate_disentanglement/fold~{{fold}}.log",
    benchmark:
        f"logs/{SCREEN.screen}/evaluate_disentanglement/fold~{{fold}}.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("evaluate_disentanglement"),
        runtime=runtime("evaluate_disentanglement"),
    params:
        settings=section("evaluate_disentanglement"),
        tables=f"{option('--well-table', PROBE_WELLS)} {option('--compound-table', PROBE_COMPOUNDS)}",
        version=VERSION,
    shell:
        "dssl evaluate_disentanglement --settings {params.settings:q} --pairs {input.pairs} "
        "--state {input.state} --models {input.models} --sweep-models {input.sweep_models} "
        "{params.tables} --fold {wildcards.fold} --probes {output.probes} "
        "--dependence {output.dependence} --information {output.information} "
        "--attribution {output.attribution} --leakage {output.leakage} "
        "--provenance {output.provenance} 2> {log}"


rule summarize_folds:
    input:
        queries=expand(rules.evaluate_retrieval.output.queries, fold=TEST_FOLDS),
        permutations=expand(
            rules.evaluate_retrieval.output.permutations, fold=TEST_FOLDS
        ),
        neighbors=expand(rules.evaluate_retrieval.output.neighbors, fold=TEST_FOLDS),
        neighbor_permutations=expand(
            rules.evaluate_retrieval.output.neighbor_permutations, fold=TEST_FOLDS
        ),
        described=expand(rules.evaluate_retrieval.output.described, fold=TEST_FOLDS),
        doses=expand(rules.evaluate_retrieval.output.doses, fold=TEST_FOLDS),
        probes=expand(rules.evaluate_disentanglement.output.probes, fold=TEST_FOLDS),
        dependence=expand(
            rules.evaluate_disentanglement.output.dependence, fold=TEST_FOLDS
        ),
        information=expand(
            rules.evaluate_disentanglement.output.information, fold=TEST_FOLDS
        ),
        attribution=expand(
            rules.evaluate_disentanglement.output.attribution, fold=TEST_FOLDS
        ),
        leakage=expand(rules.evaluate_disentanglement.output.leakage, fold=TEST_FOLDS),
    output:
        retrieval=f"{OUT}/summarize_folds/retrieval.tsv",
        comparisons=f"{OUT}/summarize_folds/comparisons.tsv",
        enrichment=f"{OUT}/summarize_folds/enrichment.tsv",
        strata=f"{OUT}/summarize_folds/strata.tsv",
        all_probes=f"{OUT}/summarize_folds/probes.tsv",
        all_dependence=f"{OUT}/summarize_folds/dependence.tsv",
        all_information=f"{OUT}/summarize_folds/information.tsv",
        information_curve=f"{OUT}/summarize_folds/information_curve.tsv",
        all_attribution=f"{OUT}/summarize_folds/attribution.tsv",
        attribution_groups=f"{OUT}/summarize_folds/attribution_groups.tsv",
        all_leakage=f"{OUT}/summarize_folds/leakage.tsv",
        provenance=f"{OUT}/summarize_folds/provenance.json",
    log:
        f"logs/{SCREEN.screen}/summarize_folds.log",
    benchmark:
        f"logs/{SCREEN.screen}/summarize_folds.benchmark.tsv"
    group:
        small("pages")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("summarize_folds"),
        runtime=runtime("summarize_folds"),
    params:
        settings=section("evaluate_retrieval"),
        version=VERSION,
    shell:
        "dssl summarize_folds --settings {params.settings:q} --queries {input.queries} "
        "--permutations {input.permutations} --neighbors {input.neighbors} "
        "--neighbor-permutations {input.neighbor_permutations} --described {input.described} "
        "--doses {input.doses} --probes {input.probes} "
        "--dependence {input.dependence} --information {input.information} "
        "--attribution {input.attribution} --leakage {input.leakage} "
        "--retrieval {output.retrieval} --comparisons {output.comparisons} "
        "--enrichment {output.enrichment} --strata {output.strata} "
        "--all-probes {output.all_probes} --all-dependence {output.all_dependence} "
        "--all-information {output.all_information} --information-curve {output.information_curve} "
        "--all-attribution {output.all_attribution} --attribution-groups {output.attribution_groups} "
        "--all-leakage {output.all_leakage} --provenance {output.provenance} 2> {log}"
