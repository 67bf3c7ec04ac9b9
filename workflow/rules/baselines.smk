"""What the model has to beat: classical controls, and other learned methods with the same encoders and budget."""

LEARNED = SCREEN.train_learned_baseline.methods
TRIALS = range(n_trials(SCREEN))
TRIAL = "method~{method}/fold~{fold}/trial~{trial}/seed~{seed}"
SELECTED = "method~{method}/fold~{fold}"


wildcard_constraints:
    method=r"[a-z_]+",
    trial=r"\d+",


rule train_baseline:
    input:
        pairs=rules.pair_and_split.output.pairs,
        state=rules.fit_preprocessing.output.state,
        inputs=rules.fit_preprocessing.output.inputs,
    output:
        molecules=f"{OUT}/train_baseline/fold~{{fold}}/molecules.h5ad",
        tuning=f"{OUT}/train_baseline/fold~{{fold}}/tuning.tsv",
        provenance=f"{OUT}/train_baseline/fold~{{fold}}/provenance.json",
    log:
        f"logs/{SCREEN.screen}/train_baseline/fold~{{fold}}.log",
    benchmark:
        f"logs/{SCREEN.screen}/train_baseline/fold~{{fold}}.benchmark.tsv"
    group:
        small("evaluation")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("train_baseline"),
        runtime=runtime("train_baseline"),
    params:
        settings=section("train_baseline"),
        version=VERSION,
    shell:
        "dssl train_baseline --settings {params.settings:q} --pairs {input.pairs} "
        "--state {input.state} --inputs {input.inputs} --molecules {output.molecules} "
        "--tuning {output.tuning} --provenance {output.provenance} 2> {log}"


rule train_learned_baseline:
    input:
        inputs=rules.fit_preprocessing.output.inputs,
    output:
        model=f"{OUT}/train_learned_baseline/{TRIAL}/model.safetensors",
        history=f"{OUT}/train_learned_baseline/{TRIAL}/history.jsonl",
        metrics=f"{OUT}/train_learned_baseline/{TRIAL}/metrics.json",
        provenance=f"{OUT}/train_learned_baseline/{TRIAL}/provenance.json",
    log:
        f"logs/{SCREEN.screen}/train_learned_baseline/{TRIAL}.log",
    benchmark:
        f"logs/{SCREEN.screen}/train_learned_baseline/{TRIAL}.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: threads(run_as_shared)
    resources:
        **several_nodes(SCREEN.train_shared.run.nodes, run_as_shared),
        mem_mb=memory("train_learned_baseline", run_as_shared),
        runtime=runtime(
            "train_learned_baseline",
            SCREEN.train_shared.optimizer.epochs
            + SCREEN.train_specific.optimizer.epochs,
            together=8,
        ),
        gpu=gpus(run_as_shared),
        turn=1,
    params:
        settings=section("train_learned_baseline"),
        shared_settings=section("train_shared"),
        specific_epochs=SCREEN.train_specific.optimizer.epochs,
        n_trials=len(TRIALS),
        checkpoint=f"{OUT}/train_learned_baseline/{TRIAL}/checkpoint",
        version=VERSION,
    shell:
        "dssl train_learned_baseline --settings {params.settings:q} "
        "--shared-settings {params.shared_settings:q} --specific-epochs {params.specific_epochs} "
        "--inputs {input.inputs} --method {wildcards.method} --trial {wildcards.trial} "
        "--n-trials {params.n_trials} --seed {wildcards.seed} --checkpoint {params.checkpoint} "
        "--model {output.model} --history {output.history} --metrics {output.metrics} "
        "--provenance {output.provenance} 2> {log}"


rule select_learned_baseline:
    input:
        pairs=rules.pair_and_split.output.pairs,
        state=rules.fit_preprocessing.output.state,
        metrics=expand(
            rules.train_learned_baseline.output.metrics,
            trial=TRIALS,
            seed=SEEDS,
            allow_missing=True,
        ),
        models=expand(
            rules.train_learned_baseline.output.model,
            trial=TRIALS,
            seed=SEEDS,
            allow_missing=True,
        ),
    output:
        candidates=f"{OUT}/select_learned_baseline/{SELECTED}/candidates.tsv",
        codes=f"{OUT}/select_learned_baseline/{SELECTED}/codes.parquet",
        provenance=f"{OUT}/select_learned_baseline/{SELECTED}/provenance.json",
    log:
        f"logs/{SCREEN.screen}/select_learned_baseline/{SELECTED}.log",
    benchmark:
        f"logs/{SCREEN.screen}/select_learned_baseline/{SELECTED}.benchmark.tsv"
    group:
        small("evaluation")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("select_learned_baseline"),
        runtime=runtime("select_learned_baseline"),
    params:
        settings=section("train_learned_baseline"),
        version=VERSION,
    shell:
        "dssl select_learned_baseline --settings {params.settings:q} --pairs {input.pairs} "
        "--state {input.state} --metrics {input.metrics} --models {input.models} "
        "--method {wildcards.method} --fold {wildcards.fold} --candidates {output.candidates} "
        "--codes {output.codes} --provenance {output.provenance} 2> {log}"
