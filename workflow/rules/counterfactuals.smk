"""Decoders from codes to profiles, and counterfactual profiles of held-out compounds beside the measured ones."""


rule train_decoder:
    input:
        pairs=rules.pair_and_split.output.pairs,
        state=rules.fit_preprocessing.output.state,
        models=rules.select_model.output.selected_models,
    output:
        decoder=f"{OUT}/train_decoder/fold~{{fold}}/decoder.safetensors",
        trials=f"{OUT}/train_decoder/fold~{{fold}}/trials.tsv",
        provenance=f"{OUT}/train_decoder/fold~{{fold}}/provenance.json",
    log:
        f"logs/{SCREEN.screen}/train_decoder/fold~{{fold}}.log",
    benchmark:
        f"logs/{SCREEN.screen}/train_decoder/fold~{{fold}}.benchmark.tsv"
    group:
        small("counterfactuals")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("train_decoder"),
        runtime=runtime("train_decoder"),
    params:
        settings=section("train_decoder"),
        version=VERSION,
    shell:
        "dssl train_decoder --settings {params.settings:q} --pairs {input.pairs} --state {input.state} "
        "--models {input.models} --fold {wildcards.fold} --decoder {output.decoder} "
        "--trials {output.trials} --provenance {output.provenance} 2> {log}"


rule evaluate_counterfactuals:
    input:
        pairs=rules.pair_and_split.output.pairs,
        state=rules.fit_preprocessing.output.state,
        models=rules.select_model.output.selected_models,
        decoder=rules.train_decoder.output.decoder,
    output:
        queries=f"{OUT}/evaluate_counterfactuals/fold~{{fold}}/queries.parquet",
        explained=f"{OUT}/evaluate_counterfactuals/fold~{{fold}}/explained.tsv",
        groups=f"{OUT}/evaluate_counterfactuals/fold~{{fold}}/groups.parquet",
        asked=f"{OUT}/evaluate_counterfactuals/fold~{{fold}}/asked.parquet",
        left_out=f"{OUT}/evaluate_counterfactuals/fold~{{fold}}/left_out.tsv",
        provenance=f"{OUT}/evaluate_counterfactuals/fold~{{fold}}/provenance.json",
    log:
        f"logs/{SCREEN.screen}/evaluate_counterfactuals/fold~{{fold}}.log",
    benchmark:
        f"logs/{SCREEN.screen}/evaluate_counterfactuals/fold~{{fold}}.benchmark.tsv"
    group:
        small("counterfactuals")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("evaluate_counterfactuals"),
        runtime=runtime("evaluate_counterfactuals"),
    params:
        settings=section("evaluate_counterfactuals"),
        version=VERSION,
    shell:
        "dssl evaluate_counterfactuals --settings {params.settings:q} --pairs {input.pairs} "
        "--state {input.state} --models {input.models} --decoder {input.decoder} "
        "--fold {wildcards.fold} --queries {output.queries} --explained {output.explained} "
        "--groups {output.groups} --asked {output.asked} --left-out {output.left_out} "
        "--provenance {output.provenance} 2> {log}"


rule summarize_counterfactuals:
    input:
        queries=expand(rules.evaluate_counterfactuals.output.queries, fold=TEST_FOLDS),
        explained=expand(
            rules.evaluate_counterfactuals.output.explained, fold=TEST_FOLDS
        ),
        groups=expand(rules.evaluate_counterfactuals.output.groups, fold=TEST_FOLDS),
        asked=expand(rules.evaluate_counterfactuals.output.asked, fold=TEST_FOLDS),
        left_out=expand(rules.evaluate_counterfactuals.output.left_out, fold=TEST_FOLDS),
    output:
        summary=f"{OUT}/summarize_counterfactuals/summary.tsv",
        comparisons=f"{OUT}/summarize_counterfactuals/comparisons.tsv",
        all_explained=f"{OUT}/summarize_counterfactuals/explained.tsv",
        explained_groups=f"{OUT}/summarize_counterfactuals/explained_groups.tsv",
        predicted_groups=f"{OUT}/summarize_counterfactuals/predicted_groups.parquet",
        predicted=f"{OUT}/summarize_counterfactuals/predicted.csv",
        all_left_out=f"{OUT}/summarize_counterfactuals/left_out.tsv",
        provenance=f"{OUT}/summarize_counterfactuals/provenance.json",
    log:
        f"logs/{SCREEN.screen}/summarize_counterfactuals.log",
    benchmark:
        f"logs/{SCREEN.screen}/summarize_counterfactuals.benchmark.tsv"
    group:
        small("pages")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("summarize_counterfactuals"),
        runtime=runtime("summarize_counterfactuals"),
    params:
        settings=section("evaluate_counterfactuals"),
        version=VERSION,
    shell:
        "dssl summarize_counterfactuals --settings {params.settings:q} --queries {input.queries} "
        "--explained {input.explained} --groups {input.groups} --asked {input.asked} "
        "--left-out {input.left_out} --summary {output.summary} --comparisons {output.comparisons} "
        "--all-explained {output.all_explained} --explained-groups {output.explained_groups} "
        "--predicted-groups {output.predicted_groups} --predicted {output.predicted} "
        "--all-left-out {output.all_left_out} --provenance {output.provenance} 2> {log}"
