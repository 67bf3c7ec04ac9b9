"""The RO-Crate of a finished screen, and its entry in MLflow."""

# the crate holds a copy of the workflow that ran
WORKFLOW_FILES = [
    os.path.relpath(path)
    for path in [
        workflow.main_snakefile,
        *sorted(Path(workflow.basedir).glob("rules/*.smk")),
    ]
]


# made from the manifest, which therefore cannot list it; the crate lists the manifest
rule crate:
    input:
        manifest=rules.manifest.output.manifest,
        records=rules.manifest.input.records,
        other_records=[
            *rules.manifest.input.records_of_lists,
            rules.manifest.output.provenance,
        ],
        workflow=WORKFLOW_FILES,
    output:
        metadata=f"{OUT}/ro-crate-metadata.json",
        workflow_copy=directory(f"{OUT}/crate/workflow"),
        provenance=f"{OUT}/crate/provenance.json",
    log:
        f"logs/{SCREEN.screen}/crate.log",
    benchmark:
        f"logs/{SCREEN.screen}/crate.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("crate"),
        runtime=runtime("crate"),
    params:
        settings=section("crate"),
        version=VERSION,
    shell:
        "dssl crate --settings {params.settings:q} --manifest {input.manifest} --records {input.records} "
        "--other-records {input.other_records} --workflow {input.workflow} "
        "--workflow-copy {output.workflow_copy} --metadata {output.metadata} "
        "--provenance {output.provenance} 2> {log}"


rule log_mlflow:
    input:
        manifest=rules.manifest.output.manifest,
        metadata=rules.crate.output.metadata,
    output:
        logged=f"{OUT}/log_mlflow/logged.json",
        provenance=f"{OUT}/log_mlflow/provenance.json",
    log:
        f"logs/{SCREEN.screen}/log_mlflow.log",
    benchmark:
        f"logs/{SCREEN.screen}/log_mlflow.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("log_mlflow"),
        runtime=runtime("log_mlflow"),
    params:
        settings=section("log_mlflow"),
        version=VERSION,
    shell:
        "dssl log_mlflow --settings {params.settings:q} --manifest {input.manifest} "
        "--metadata {input.metadata} --logged {output.logged} --provenance {output.provenance} 2> {log}"
