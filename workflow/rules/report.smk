"""What is handed over: the report, and the list of all artifacts."""


rule describe_compounds:
    input:
        pairs=rules.pair_and_split.output.pairs,
        compounds=expand(rules.embed_screen.output.compounds, fold=HANDOVER_FOLD),
        activity=rules.call_activity.output.activity,
        queries=expand(rules.evaluate_retrieval.output.queries, fold=TEST_FOLDS),
        described=expand(rules.evaluate_retrieval.output.described, fold=TEST_FOLDS),
    output:
        table=f"{OUT}/describe_compounds/compounds.tsv",
        provenance=f"{OUT}/describe_compounds/provenance.json",
    log:
        f"logs/{SCREEN.screen}/describe_compounds.log",
    benchmark:
        f"logs/{SCREEN.screen}/describe_compounds.benchmark.tsv"
    group:
        small("pages")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("describe_compounds"),
        runtime=runtime("describe_compounds"),
    params:
        settings=section("describe_compounds"),
        columns=section("molecules"),
        fold=HANDOVER_FOLD,
        version=VERSION,
    shell:
        "dssl describe_compounds --settings {params.settings:q} --columns {params.columns:q} "
        "--fold {params.fold} --pairs {input.pairs} --compounds {input.compounds} "
        "--activity {input.activity} --queries {input.queries} --described {input.described} "
        "--table {output.table} --provenance {output.provenance} 2> {log}"


rule report:
    input:
        plates=expand(rules.list_plates.output.plates, part=PARTS),
        quality=expand(rules.normalize_plate.output.quality, table=TABLES),
        profiles=rules.assemble_profiles.output.profiles,
        dropped_features=rules.assemble_profiles.output.dropped_features,
        activity=rules.call_activity.output.activity,
        comparison=rules.compare_preprocessing.output.comparison,
        molecules=rules.standardize_molecules.output.molecules,
        rejected=rules.standardize_molecules.output.rejected,
        merged=rules.standardize_molecules.output.merged,
        folds=rules.pair_and_split.output.folds,
        excluded_wells=rules.pair_and_split.output.excluded_wells,
        excluded_compounds=rules.pair_and_split.output.excluded_compounds,
        candidates=expand(rules.select_model.output.candidates, fold=FOLDS),
        selected=expand(rules.select_model.output.selected, fold=FOLDS),
        shared_histories=expand(
            rules.train_shared.output.history, fold=FOLDS, beta=BETAS, seed=SEEDS
        ),
        specific_histories=expand(
            rules.train_specific.output.history,
            fold=FOLDS,
            beta=BETAS,
            lam=LAMS,
            seed=SEEDS,
        ),
        retrieval=rules.summarize_folds.output.retrieval,
        comparisons=rules.summarize_folds.output.comparisons,
        strata=rules.summarize_folds.output.strata,
        enrichment=rules.summarize_folds.output.enrichment,
        probes=rules.summarize_folds.output.all_probes,
        dependence=rules.summarize_folds.output.all_dependence,
        information=rules.summarize_folds.output.information_curve,
        attribution=rules.summarize_folds.output.attribution_groups,
        leakage=rules.summarize_folds.output.all_leakage,
        counterfactuals=rules.summarize_counterfactuals.output.summary,
        counterfactual_tests=rules.summarize_counterfactuals.output.comparisons,
        decoded=rules.summarize_counterfactuals.output.explained_groups,
        not_predicted=rules.summarize_counterfactuals.output.all_left_out,
        map_compounds=expand(rules.embed_screen.output.compounds, fold=HANDOVER_FOLD),
        map_molecules=expand(rules.embed_screen.output.molecules, fold=HANDOVER_FOLD),
        example_compounds=expand(
            rules.embed_screen.output.compounds, fold=TEST_FOLDS[0]
        ),
        example_molecules=expand(
            rules.embed_screen.output.molecules, fold=TEST_FOLDS[0]
        ),
        compounds=rules.describe_compounds.output.table,
        queries=expand(rules.evaluate_retrieval.output.queries, fold=TEST_FOLDS),
        neighbors=expand(rules.evaluate_retrieval.output.neighbors, fold=TEST_FOLDS),
        assays=ASSAY_TABLES,
        without_second=WITHOUT_SECOND,
    output:
        html=report(
            f"{OUT}/report.html", caption="../report/report.rst", category="Report"
        ),
        figures=directory(f"{OUT}/report/figures"),
        provenance=f"{OUT}/report/provenance.json",
    log:
        f"logs/{SCREEN.screen}/report.log",
    benchmark:
        f"logs/{SCREEN.screen}/report.benchmark.tsv"
    group:
        small("pages")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("report"),
        runtime=runtime("report"),
    params:
        settings=section("report"),
        screen=shown(without_new_data(SCREEN)).to_json(),
        simulated="--simulated" if SCREEN.simulate_screen else "--no-simulated",
        assays=f"{option('--assays', *ASSAY_TABLES)} {option('--without-second', *WITHOUT_SECOND)}",
        version=VERSION,
    shell:
        "dssl report --settings {params.settings:q} --screen {params.screen:q} {params.simulated} "
        "--plates {input.plates} --profiles {input.profiles} "
        "--dropped-features {input.dropped_features} --activity {input.activity} "
        "--comparison {input.comparison} --molecules {input.molecules} "
        "--rejected {input.rejected} --merged {input.merged} --folds {input.folds} "
        "--excluded-wells {input.excluded_wells} --excluded-compounds {input.excluded_compounds} "
        "--candidates {input.candidates} --selected {input.selected} "
        "--shared-histories {input.shared_histories} --specific-histories {input.specific_histories} "
        "--retrieval {input.retrieval} --comparisons {input.comparisons} --strata {input.strata} "
        "--enrichment {input.enrichment} --probes {input.probes} "
        "--dependence {input.dependence} --information {input.information} "
        "--attribution {input.attribution} --leakage {input.leakage} "
        "--counterfactuals {input.counterfactuals} "
        "--counterfactual-tests {input.counterfactual_tests} --decoded {input.decoded} "
        "--not-predicted {input.not_predicted} --map-compounds {input.map_compounds} "
        "--map-molecules {input.map_molecules} --example-compounds {input.example_compounds} "
        "--example-molecules {input.example_molecules} --compounds {input.compounds} "
        "--queries {input.queries} --neighbors {input.neighbors} {params.assays} "
        "--html {output.html} --figures {output.figures} "
        "--provenance {output.provenance} 2> {log}"


rule explorer:
    input:
        table=rules.describe_compounds.output.table,
        pairs=rules.pair_and_split.output.pairs,
        compounds=expand(rules.embed_screen.output.compounds, fold=HANDOVER_FOLD),
        molecules=expand(rules.embed_screen.output.molecules, fold=HANDOVER_FOLD),
        fold_compounds=expand(rules.embed_screen.output.compounds, fold=TEST_FOLDS),
        fold_molecules=expand(rules.embed_screen.output.molecules, fold=TEST_FOLDS),
        predicted=rules.summarize_counterfactuals.output.predicted_groups,
        counterfactuals=rules.summarize_counterfactuals.output.summary,
        counterfactual_tests=rules.summarize_counterfactuals.output.comparisons,
    output:
        html=report(
            f"{OUT}/explorer.html",
            caption="../report/explorer.rst",
            category="Explorer",
        ),
        provenance=f"{OUT}/explorer/provenance.json",
    log:
        f"logs/{SCREEN.screen}/explorer.log",
    benchmark:
        f"logs/{SCREEN.screen}/explorer.benchmark.tsv"
    group:
        small("pages")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("explorer"),
        runtime=runtime("explorer"),
    params:
        settings=section("explorer"),
        title=SCREEN.report.title or SCREEN.screen,
        screen=SCREEN.screen,
        other=SCREEN.second_assay.name if SECOND else "molecule",
        simulated="--simulated" if SCREEN.simulate_screen else "--no-simulated",
        fold=HANDOVER_FOLD,
        version=VERSION,
    shell:
        "dssl explorer --settings {params.settings:q} --title {params.title:q} --screen {params.screen} "
        "--other {params.other:q} {params.simulated} --fold {params.fold} --table {input.table} "
        "--pairs {input.pairs} --compounds {input.compounds} --molecules {input.molecules} "
        "--fold-compounds {input.fold_compounds} --fold-molecules {input.fold_molecules} "
        "--predicted {input.predicted} --counterfactuals {input.counterfactuals} "
        "--counterfactual-tests {input.counterfactual_tests} "
        "--html {output.html} --provenance {output.provenance} 2> {log}"


rule handover:
    input:
        pairs=rules.pair_and_split.output.pairs,
        table=rules.describe_compounds.output.table,
        compounds=expand(rules.embed_screen.output.compounds, fold=HANDOVER_FOLD),
        molecules=expand(rules.embed_screen.output.molecules, fold=HANDOVER_FOLD),
        fold_compounds=expand(rules.embed_screen.output.compounds, fold=TEST_FOLDS),
        fold_molecules=expand(rules.embed_screen.output.molecules, fold=TEST_FOLDS),
        calibration=rules.calibrate_scores.output.calibration,
        attribution=rules.summarize_folds.output.all_attribution,
        pages=[rules.report.output.html, rules.explorer.output.html],
    output:
        readme=f"{HANDOVER}/README.html",
        dictionary=f"{HANDOVER}/data_dictionary.csv",
        compound_table=f"{HANDOVER}/compounds.csv",
        hits=f"{HANDOVER}/hits.csv",
        neighbors=f"{HANDOVER}/neighbours.csv",
        profiles_shared=f"{HANDOVER}/profiles_shared.csv",
        profiles_specific=f"{HANDOVER}/profiles_specific.csv",
        molecules_shared=f"{HANDOVER}/molecules_shared.csv",
        molecules_specific=f"{HANDOVER}/molecules_specific.csv",
        variance=f"{HANDOVER}/feature_variance.csv",
        workbook=f"{HANDOVER}/compounds.xlsx",
        structures=f"{HANDOVER}/compounds.sdf",
        profiles_file=f"{HANDOVER}/profiles.h5ad",
        molecules_file=f"{HANDOVER}/molecules.h5ad",
        screen_file=f"{HANDOVER}/screen.h5mu",
        copies=[f"{HANDOVER}/report.html", f"{HANDOVER}/explorer.html"],
        provenance=f"{HANDOVER}/provenance.json",
    log:
        f"logs/{SCREEN.screen}/handover.log",
    benchmark:
        f"logs/{SCREEN.screen}/handover.benchmark.tsv"
    group:
        small("pages")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("handover"),
        runtime=runtime("handover"),
    params:
        settings=section("handover"),
        screen=SCREEN.screen,
        title=SCREEN.report.title or SCREEN.screen,
        fold=HANDOVER_FOLD,
        simulated="--simulated" if SCREEN.simulate_screen else "--no-simulated",
        second_assay=(
            option("--second-assay", shlex.quote(SCREEN.second_assay.name))
            if SECOND
            else ""
        ),
        version=VERSION,
    shell:
        "dssl handover --settings {params.settings:q} --screen {params.screen} --title {params.title:q} "
        "--fold {params.fold} {params.simulated} {params.second_assay} --pairs {input.pairs} --table {input.table} "
        "--compounds {input.compounds} --molecules {input.molecules} "
        "--fold-compounds {input.fold_compounds} --fold-molecules {input.fold_molecules} "
        "--calibration {input.calibration} --attribution {input.attribution} --pages {input.pages} "
        "--readme {output.readme} --dictionary {output.dictionary} "
        "--compound-table {output.compound_table} --hits {output.hits} "
        "--neighbors {output.neighbors} --profiles-shared {output.profiles_shared} "
        "--profiles-specific {output.profiles_specific} "
        "--molecules-shared {output.molecules_shared} "
        "--molecules-specific {output.molecules_specific} --variance {output.variance} "
        "--workbook {output.workbook} --structures {output.structures} "
        "--profiles-file {output.profiles_file} --molecules-file {output.molecules_file} "
        "--screen-file {output.screen_file} --copies {output.copies} "
        "--provenance {output.provenance} 2> {log}"


# one record for every job of the screen
RECORDS = [
    *([rules.simulate_screen.output.provenance] if SCREEN.simulate_screen else []),
    *(
        expand(rules.fetch_screen.output.provenance, file=SCREEN.fetch_screen.files)
        if SCREEN.fetch_screen
        else []
    ),
    rules.standardize_molecules.output.provenance,
    PARTNER.output.provenance,
    *expand(rules.normalize_plate.output.provenance, table=TABLES),
    *expand(rules.list_plates.output.provenance, part=PARTS),
    rules.assemble_profiles.output.provenance,
    rules.call_activity.output.provenance,
    rules.pair_and_split.output.provenance,
    rules.compare_preprocessing.output.provenance,
    *expand(rules.fit_preprocessing.output.provenance, fold=FOLDS),
    *expand(rules.train_shared.output.provenance, fold=FOLDS, beta=BETAS, seed=MEMBERS),
    *expand(
        rules.train_specific.output.provenance,
        fold=FOLDS,
        beta=BETAS,
        lam=LAMS,
        seed=MEMBERS,
    ),
    *expand(rules.select_model.output.provenance, fold=FOLDS),
    *expand(rules.embed_screen.output.provenance, fold=FOLDS),
    rules.calibrate_scores.output.provenance,
    rules.bundle_model.output.provenance,
    *expand(rules.train_baseline.output.provenance, fold=TEST_FOLDS),
    *expand(
        rules.train_learned_baseline.output.provenance,
        method=LEARNED,
        fold=TEST_FOLDS,
        trial=TRIALS,
        seed=SEEDS,
    ),
    *expand(
        rules.select_learned_baseline.output.provenance, method=LEARNED, fold=TEST_FOLDS
    ),
    *expand(rules.evaluate_retrieval.output.provenance, fold=TEST_FOLDS),
    *expand(rules.evaluate_disentanglement.output.provenance, fold=TEST_FOLDS),
    rules.summarize_folds.output.provenance,
    *ASSAY_RECORDS,
    rules.describe_compounds.output.provenance,
    *expand(rules.train_decoder.output.provenance, fold=TEST_FOLDS),
    *expand(rules.evaluate_counterfactuals.output.provenance, fold=TEST_FOLDS),
    rules.summarize_counterfactuals.output.provenance,
    rules.report.output.provenance,
    rules.explorer.output.provenance,
    rules.handover.output.provenance,
]

RECORD_PARTS = parts(RECORDS, SCREEN.list_files.per_list)


rule list_records:
    input:
        provenance_of=lambda wildcards: RECORD_PARTS[wildcards.part],
    output:
        records=f"{OUT}/list_records/{{part}}.tsv",
        provenance=f"{OUT}/list_records/{{part}}.provenance.json",
    log:
        f"logs/{SCREEN.screen}/list_records/{{part}}.log",
    benchmark:
        f"logs/{SCREEN.screen}/list_records/{{part}}.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("list_records"),
        runtime=runtime("list_records"),
    params:
        settings=section("list_files"),
        version=VERSION,
    shell:
        "dssl list_records --settings {params.settings:q} --provenance-of {input.provenance_of} "
        "--records {output.records} --provenance {output.provenance} 2> {log}"


rule manifest:
    input:
        records=expand(rules.list_records.output.records, part=RECORD_PARTS),
        records_of_lists=expand(rules.list_records.output.provenance, part=RECORD_PARTS),
        joined=RECORDS,
    output:
        manifest=f"{OUT}/manifest.json",
        provenance=f"{OUT}/manifest/provenance.json",
    log:
        f"logs/{SCREEN.screen}/manifest.log",
    benchmark:
        f"logs/{SCREEN.screen}/manifest.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("manifest"),
        runtime=runtime("manifest"),
    params:
        settings=section("manifest"),
        screen=SCREEN.screen,
        version=VERSION,
    shell:
        "dssl manifest --settings {params.settings:q} --screen {params.screen} "
        "--records {input.records} --records-of-lists {input.records_of_lists} "
        "--manifest {output.manifest} "
        "--provenance {output.provenance} 2> {log}"
