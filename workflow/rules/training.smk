"""The two steps of DisentangledSSL over the sweep, the choice among the models, and their embeddings."""


rule train_shared:
    input:
        inputs=rules.fit_preprocessing.output.inputs,
    output:
        model=f"{OUT}/train_shared/{SHARED}/model.safetensors",
        history=f"{OUT}/train_shared/{SHARED}/history.jsonl",
        metrics=f"{OUT}/train_shared/{SHARED}/metrics.json",
        provenance=f"{OUT}/train_shared/{SHARED}/provenance.json",
    log:
        f"logs/{SCREEN.screen}/train_shared/{SHARED}.log",
    benchmark:
        f"logs/{SCREEN.screen}/train_shared/{SHARED}.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: threads(run_of_shared)
    resources:
        **several_nodes(SCREEN.train_shared.run.nodes, run_of_shared),
        mem_mb=memory("train_shared", run_of_shared),
        runtime=runtime(
            "train_shared", SCREEN.train_shared.optimizer.epochs, together=4
        ),
        gpu=gpus(run_of_shared),
        turn=1,
    params:
        settings=section("train_shared"),
        checkpoint=f"{OUT}/train_shared/{SHARED}/checkpoint",
        version=VERSION,
    shell:
        "dssl train_shared --settings {params.settings:q} --inputs {input.inputs} "
        "--beta {wildcards.beta} --seed {wildcards.seed} --checkpoint {params.checkpoint} "
        "--model {output.model} --history {output.history} --metrics {output.metrics} "
        "--provenance {output.provenance} 2> {log}"


rule train_specific:
    input:
        inputs=rules.fit_preprocessing.output.inputs,
        shared=rules.train_shared.output.model,
    output:
        model=f"{OUT}/train_specific/{SPECIFIC}/model.safetensors",
        history=f"{OUT}/train_specific/{SPECIFIC}/history.jsonl",
        metrics=f"{OUT}/train_specific/{SPECIFIC}/metrics.json",
        provenance=f"{OUT}/train_specific/{SPECIFIC}/provenance.json",
    log:
        f"logs/{SCREEN.screen}/train_specific/{SPECIFIC}.log",
    benchmark:
        f"logs/{SCREEN.screen}/train_specific/{SPECIFIC}.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: threads(run_of_specific)
    resources:
        **several_nodes(SCREEN.train_specific.run.nodes, run_of_specific),
        mem_mb=memory("train_specific", run_of_specific),
        runtime=runtime(
            "train_specific", SCREEN.train_specific.optimizer.epochs, together=4
        ),
        gpu=gpus(run_of_specific),
        turn=1,
    params:
        settings=section("train_specific"),
        checkpoint=f"{OUT}/train_specific/{SPECIFIC}/checkpoint",
        version=VERSION,
    shell:
        "dssl train_specific --settings {params.settings:q} --inputs {input.inputs} "
        "--shared {input.shared} --lam {wildcards.lam} --seed {wildcards.seed} "
        "--checkpoint {params.checkpoint} --model {output.model} --history {output.history} "
        "--metrics {output.metrics} --provenance {output.provenance} 2> {log}"


rule select_model:
    input:
        shared_metrics=expand(
            rules.train_shared.output.metrics,
            beta=BETAS,
            seed=MEMBERS,
            allow_missing=True,
        ),
        specific_metrics=expand(
            rules.train_specific.output.metrics,
            beta=BETAS,
            lam=LAMS,
            seed=MEMBERS,
            allow_missing=True,
        ),
        models=expand(
            rules.train_specific.output.model,
            beta=BETAS,
            lam=LAMS,
            seed=MEMBERS,
            allow_missing=True,
        ),
    output:
        candidates=f"{OUT}/select_model/fold~{{fold}}/candidates.tsv",
        selected=f"{OUT}/select_model/fold~{{fold}}/selected.json",
        selected_models=expand(
            f"{OUT}/select_model/fold~{{fold}}/seed~{{seed}}.safetensors",
            seed=MEMBERS,
            allow_missing=True,
        ),
        provenance=f"{OUT}/select_model/fold~{{fold}}/provenance.json",
    log:
        f"logs/{SCREEN.screen}/select_model/fold~{{fold}}.log",
    benchmark:
        f"logs/{SCREEN.screen}/select_model/fold~{{fold}}.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("select_model"),
        runtime=runtime("select_model"),
    params:
        settings=section("select_model"),
        version=VERSION,
    shell:
        "dssl select_model --settings {params.settings:q} --shared-metrics {input.shared_metrics} "
        "--specific-metrics {input.specific_metrics} --models {input.models} "
        "--candidates {output.candidates} --selected {output.selected} "
        "--selected-models {output.selected_models} --provenance {output.provenance} 2> {log}"


rule embed_screen:
    input:
        pairs=rules.pair_and_split.output.pairs,
        state=rules.fit_preprocessing.output.state,
        models=rules.select_model.output.selected_models,
    output:
        wells=f"{OUT}/embed_screen/fold~{{fold}}/wells.h5ad",
        treatments=f"{OUT}/embed_screen/fold~{{fold}}/treatments.h5ad",
        compounds=f"{OUT}/embed_screen/fold~{{fold}}/compounds.h5ad",
        molecules=f"{OUT}/embed_screen/fold~{{fold}}/molecules.h5ad",
        tables=expand(
            f"{OUT}/embed_screen/fold~{{fold}}/{{level}}.csv.gz",
            level=["wells", "treatments", "compounds", "molecules"],
            allow_missing=True,
        ),
        provenance=f"{OUT}/embed_screen/fold~{{fold}}/provenance.json",
    log:
        f"logs/{SCREEN.screen}/embed_screen/fold~{{fold}}.log",
    benchmark:
        f"logs/{SCREEN.screen}/embed_screen/fold~{{fold}}.benchmark.tsv"
    group:
        small("evaluation")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("embed_screen"),
        runtime=runtime("embed_screen"),
    params:
        settings=section("embed_screen"),
        umap=lambda wildcards: (
            "--umap" if wildcards.fold == HANDOVER_FOLD else "--no-umap"
        ),
        version=VERSION,
    shell:
        "dssl embed_screen --settings {params.settings:q} --pairs {input.pairs} --state {input.state} "
        "--models {input.models} --fold {wildcards.fold} {params.umap} --wells {output.wells} "
        "--treatments {output.treatments} --compounds {output.compounds} "
        "--molecules {output.molecules} --tables {output.tables} "
        "--provenance {output.provenance} 2> {log}"
