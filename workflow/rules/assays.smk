"""Molecule, phenotype and second assay together; of a screen with one assay there is nothing of this."""

ASSAY_TABLES, WITHOUT_SECOND, ASSAY_RECORDS = [], [], []

if SECOND:
    SUBSETS = assay_subsets()
    ASSAYS = "subset~{subset}/fold~{fold}/seed~{seed}"

    rule join_assays:
        input:
            profiles=rules.assemble_profiles.output.profiles,
            features=rules.featurize_molecules.output.features,
            second=rules.profile_second_assay.output.profiles,
            aliases=rules.standardize_molecules.output.aliases,
            pairs=rules.pair_and_split.output.pairs,
        output:
            assays=f"{OUT}/join_assays/assays.h5mu",
            counts=f"{OUT}/join_assays/counts.tsv",
            excluded_compounds=f"{OUT}/join_assays/excluded_compounds.tsv",
            provenance=f"{OUT}/join_assays/provenance.json",
        log:
            f"logs/{SCREEN.screen}/join_assays.log",
        benchmark:
            f"logs/{SCREEN.screen}/join_assays.benchmark.tsv"
        conda:
            "../../environment.yml"
        resources:
            mem_mb=memory("join_assays"),
            runtime=runtime("join_assays"),
        params:
            settings=section("pair_and_split"),
            version=VERSION,
        shell:
            "dssl join_assays --settings {params.settings:q} --profiles {input.profiles} "
            "--features {input.features} --second {input.second} --aliases {input.aliases} "
            "--pairs {input.pairs} --assays {output.assays} --counts {output.counts} "
            "--excluded-compounds {output.excluded_compounds} --provenance {output.provenance} 2> {log}"

    rule fit_assays:
        input:
            assays=rules.join_assays.output.assays,
        output:
            state=f"{OUT}/fit_assays/fold~{{fold}}/state.safetensors",
            second_state=f"{OUT}/fit_assays/fold~{{fold}}/second_state.safetensors",
            inputs=f"{OUT}/fit_assays/fold~{{fold}}/inputs.h5mu",
            provenance=f"{OUT}/fit_assays/fold~{{fold}}/provenance.json",
        log:
            f"logs/{SCREEN.screen}/fit_assays/fold~{{fold}}.log",
        benchmark:
            f"logs/{SCREEN.screen}/fit_assays/fold~{{fold}}.benchmark.tsv"
        conda:
            "../../environment.yml"
        resources:
            mem_mb=memory("fit_assays"),
            runtime=runtime("fit_assays"),
        params:
            settings=section("fit_preprocessing"),
            version=VERSION,
        shell:
            "dssl fit_assays --settings {params.settings:q} --assays {input.assays} "
            "--fold {wildcards.fold} --state {output.state} --second-state {output.second_state} "
            "--inputs {output.inputs} --provenance {output.provenance} 2> {log}"

    rule train_assays:
        input:
            inputs=rules.fit_assays.output.inputs,
        output:
            model=f"{OUT}/train_assays/{ASSAYS}/model.safetensors",
            history=f"{OUT}/train_assays/{ASSAYS}/history.jsonl",
            metrics=f"{OUT}/train_assays/{ASSAYS}/metrics.json",
            provenance=f"{OUT}/train_assays/{ASSAYS}/provenance.json",
        log:
            f"logs/{SCREEN.screen}/train_assays/{ASSAYS}.log",
        benchmark:
            f"logs/{SCREEN.screen}/train_assays/{ASSAYS}.benchmark.tsv"
        wildcard_constraints:
            subset="|".join(map(re.escape, SUBSETS)),
        conda:
            "../../environment.yml"
        threads: threads(run_as_shared)
        resources:
            **several_nodes(SCREEN.train_shared.run.nodes, run_as_shared),
            mem_mb=memory("train_assays", run_as_shared),
            runtime=runtime(
                "train_assays", SCREEN.train_shared.optimizer.epochs, together=8
            ),
            gpu=gpus(run_as_shared),
            turn=1,
        params:
            settings=section("train_assays"),
            shared_settings=section("train_shared"),
            checkpoint=f"{OUT}/train_assays/{ASSAYS}/checkpoint",
            version=VERSION,
        shell:
            "dssl train_assays --settings {params.settings:q} "
            "--shared-settings {params.shared_settings:q} --inputs {input.inputs} "
            "--subset {wildcards.subset} --seed {wildcards.seed} --checkpoint {params.checkpoint} "
            "--model {output.model} --history {output.history} --metrics {output.metrics} "
            "--provenance {output.provenance} 2> {log}"

    rule evaluate_assays:
        input:
            assays=rules.join_assays.output.assays,
            state=rules.fit_assays.output.state,
            second_state=rules.fit_assays.output.second_state,
            inputs=rules.fit_assays.output.inputs,
            models=expand(
                rules.train_assays.output.model,
                subset=SUBSETS,
                seed=SEEDS,
                allow_missing=True,
            ),
            screen_queries=rules.evaluate_retrieval.output.queries,
        output:
            queries=f"{OUT}/evaluate_assays/fold~{{fold}}/queries.parquet",
            permutations=f"{OUT}/evaluate_assays/fold~{{fold}}/permutations.parquet",
            tuning=f"{OUT}/evaluate_assays/fold~{{fold}}/tuning.tsv",
            provenance=f"{OUT}/evaluate_assays/fold~{{fold}}/provenance.json",
        log:
            f"logs/{SCREEN.screen}/evaluate_assays/fold~{{fold}}.log",
        benchmark:
            f"logs/{SCREEN.screen}/evaluate_assays/fold~{{fold}}.benchmark.tsv"
        conda:
            "../../environment.yml"
        resources:
            mem_mb=memory("evaluate_assays"),
            runtime=runtime("evaluate_assays"),
        params:
            settings=section("evaluate_retrieval"),
            controls=section("train_baseline"),
            version=VERSION,
        shell:
            "dssl evaluate_assays --settings {params.settings:q} --controls {params.controls:q} "
            "--assays {input.assays} --state {input.state} --second-state {input.second_state} "
            "--inputs {input.inputs} --models {input.models} --screen-queries {input.screen_queries} "
            "--fold {wildcards.fold} --queries {output.queries} --permutations {output.permutations} "
            "--tuning {output.tuning} --provenance {output.provenance} 2> {log}"

    rule summarize_assays:
        input:
            queries=expand(rules.evaluate_assays.output.queries, fold=TEST_FOLDS),
            permutations=expand(
                rules.evaluate_assays.output.permutations, fold=TEST_FOLDS
            ),
        output:
            retrieval=f"{OUT}/summarize_assays/retrieval.tsv",
            comparisons=f"{OUT}/summarize_assays/comparisons.tsv",
            provenance=f"{OUT}/summarize_assays/provenance.json",
        log:
            f"logs/{SCREEN.screen}/summarize_assays.log",
        benchmark:
            f"logs/{SCREEN.screen}/summarize_assays.benchmark.tsv"
        conda:
            "../../environment.yml"
        resources:
            mem_mb=memory("summarize_assays"),
            runtime=runtime("summarize_assays"),
        params:
            settings=section("evaluate_retrieval"),
            version=VERSION,
        shell:
            "dssl summarize_assays --settings {params.settings:q} --queries {input.queries} "
            "--permutations {input.permutations} --retrieval {output.retrieval} "
            "--comparisons {output.comparisons} --provenance {output.provenance} 2> {log}"

    ASSAY_TABLES = [
        rules.summarize_assays.output.retrieval,
        rules.summarize_assays.output.comparisons,
        rules.join_assays.output.counts,
    ]
    WITHOUT_SECOND = [rules.profile_second_assay.output.without]
    ASSAY_RECORDS = [
        rules.featurize_molecules.output.provenance,
        rules.join_assays.output.provenance,
        *expand(rules.fit_assays.output.provenance, fold=TEST_FOLDS),
        *expand(
            rules.train_assays.output.provenance,
            subset=SUBSETS,
            fold=TEST_FOLDS,
            seed=SEEDS,
        ),
        *expand(rules.evaluate_assays.output.provenance, fold=TEST_FOLDS),
        rules.summarize_assays.output.provenance,
    ]
