"""What a trained model does with new compounds and new plates."""

BUNDLED = [
    "preprocessing.safetensors",
    "assembled.safetensors",
    "compounds.h5ad",
    "molecules.h5ad",
    "aliases.tsv",
    "calibration.tsv",
    "held_out.tsv",
    "performance.tsv",
    "ranges.tsv",
    *[f"seed~{seed}.safetensors" for seed in MEMBERS],
    *(["second_assembled.safetensors", "second_aliases.tsv"] if SECOND else []),
]
# of a screen with a second assay: its state, and the compounds of its ids
SECOND_STATE, SECOND_IDS = (
    (
        [rules.profile_second_assay.output.state],
        [rules.profile_second_assay.output.aliases],
    )
    if SECOND
    else ([], [])
)


rule calibrate_scores:
    input:
        pairs=rules.pair_and_split.output.pairs,
        wells=expand(rules.embed_screen.output.wells, fold=TEST_FOLDS),
        treatments=expand(rules.embed_screen.output.treatments, fold=TEST_FOLDS),
        compounds=expand(rules.embed_screen.output.compounds, fold=TEST_FOLDS),
        molecules=expand(rules.embed_screen.output.molecules, fold=TEST_FOLDS),
    output:
        calibration=f"{OUT}/calibrate_scores/calibration.tsv",
        held_out=f"{OUT}/calibrate_scores/held_out.tsv",
        performance=f"{OUT}/calibrate_scores/performance.tsv",
        provenance=f"{OUT}/calibrate_scores/provenance.json",
    log:
        f"logs/{SCREEN.screen}/calibrate_scores.log",
    benchmark:
        f"logs/{SCREEN.screen}/calibrate_scores.benchmark.tsv"
    group:
        small("pages")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("calibrate_scores"),
        runtime=runtime("calibrate_scores"),
    params:
        settings=section("calibrate_scores"),
        version=VERSION,
    shell:
        "dssl calibrate_scores --settings {params.settings:q} --pairs {input.pairs} "
        "--wells {input.wells} --treatments {input.treatments} --compounds {input.compounds} "
        "--molecules {input.molecules} --calibration {output.calibration} "
        "--held-out {output.held_out} --performance {output.performance} "
        "--provenance {output.provenance} 2> {log}"


rule bundle_model:
    input:
        pairs=rules.pair_and_split.output.pairs,
        preprocessing=expand(rules.fit_preprocessing.output.state, fold=HANDOVER_FOLD),
        assembled=rules.assemble_profiles.output.state,
        selected=expand(rules.select_model.output.selected, fold=HANDOVER_FOLD),
        models=expand(rules.select_model.output.selected_models, fold=HANDOVER_FOLD),
        compounds=expand(rules.embed_screen.output.compounds, fold=HANDOVER_FOLD),
        molecules=expand(rules.embed_screen.output.molecules, fold=HANDOVER_FOLD),
        aliases=rules.standardize_molecules.output.aliases,
        calibration=rules.calibrate_scores.output.calibration,
        held_out=rules.calibrate_scores.output.held_out,
        performance=rules.calibrate_scores.output.performance,
        second_assembled=SECOND_STATE,
        second_aliases=SECOND_IDS,
    output:
        model=f"{OUT}/bundle_model/model.json",
        files=[f"{OUT}/bundle_model/{name}" for name in BUNDLED],
        provenance=f"{OUT}/bundle_model/provenance.json",
    log:
        f"logs/{SCREEN.screen}/bundle_model.log",
    benchmark:
        f"logs/{SCREEN.screen}/bundle_model.benchmark.tsv"
    group:
        small("pages")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("bundle_model"),
        runtime=runtime("bundle_model"),
    params:
        settings=applied_settings(SCREEN).to_json(),
        fold=HANDOVER_FOLD,
        second=f"{option('--second-assembled', *SECOND_STATE)} {option('--second-aliases', *SECOND_IDS)}",
        version=VERSION,
    shell:
        "dssl bundle_model --settings {params.settings:q} --fold {params.fold} --pairs {input.pairs} "
        "--preprocessing {input.preprocessing} --assembled {input.assembled} "
        "--selected {input.selected} --models {input.models} --compounds {input.compounds} "
        "--molecules {input.molecules} --aliases {input.aliases} "
        "--calibration {input.calibration} --held-out {input.held_out} "
        "--performance {input.performance} {params.second} --model {output.model} --files {output.files} "
        "--provenance {output.provenance} 2> {log}"


rule embed:
    input:
        unpack(new_tables_of),
        model=rules.bundle_model.output.model,
        files=rules.bundle_model.output.files,
    output:
        out=directory(EMBEDDED),
        provenance=f"{NEW_DATA}/embed.json",
    log:
        f"logs/{SCREEN.screen}/embed/{{name}}.log",
    benchmark:
        f"logs/{SCREEN.screen}/embed/{{name}}.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 4
    resources:
        mem_mb=memory("embed"),
        runtime=runtime("embed"),
    params:
        settings=lambda wildcards: new_settings(SCREEN, wildcards.name)[0].to_json(),
        molecules=lambda wildcards, input: option("--molecules", input.molecules),
        plates=lambda wildcards, input: option("--plates", input.plates),
        second_plates=lambda wildcards, input: option(
            "--second-plates", input.second_plates
        ),
        version=VERSION,
    shell:
        "dssl embed --settings {params.settings:q} --model {input.model} {params.molecules} "
        "{params.plates} {params.second_plates} --out {output.out} --threads {threads} "
        "--provenance {output.provenance} 2> {log}"


rule query:
    input:
        model=rules.bundle_model.output.model,
        files=rules.bundle_model.output.files,
        queries=new_queries_of,
        library=new_library_of,
    output:
        out=directory(f"{NEW_DATA}/query"),
        provenance=f"{NEW_DATA}/query.json",
    log:
        f"logs/{SCREEN.screen}/query/{{name}}.log",
    benchmark:
        f"logs/{SCREEN.screen}/query/{{name}}.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("query"),
        runtime=runtime("query"),
    params:
        settings=lambda wildcards: new_settings(SCREEN, wildcards.name)[1].to_json(),
        molecules=lambda wildcards, input: option(
            "--molecules",
            new_entry(SCREEN, wildcards.name).molecules and input.queries,
        ),
        plates=lambda wildcards, input: option(
            "--plates", new_entry(SCREEN, wildcards.name).plates and input.queries
        ),
        second_plates=lambda wildcards, input: option(
            "--second-plates",
            new_entry(SCREEN, wildcards.name).second_plates and input.queries,
        ),
        compounds=lambda wildcards: option(
            "--compounds", shlex.join(new_entry(SCREEN, wildcards.name).compounds)
        ),
        library=lambda wildcards, input: option("--library", input.library),
        version=VERSION,
    shell:
        "dssl query --settings {params.settings:q} --model {input.model} {params.molecules} "
        "{params.plates} {params.second_plates} {params.compounds} {params.library} --out {output.out} "
        "--threads {threads} --provenance {output.provenance} 2> {log}"
