"""Plates to comparable profiles."""


rule normalize_plate:
    input:
        table=lambda wildcards: TABLES[wildcards.table],
        plate_list=PLATE_LIST or [],
    output:
        profiles=f"{OUT}/normalize_plate/{{table}}.h5ad",
        quality=f"{OUT}/normalize_plate/{{table}}.quality.tsv",
        provenance=f"{OUT}/normalize_plate/{{table}}.provenance.json",
    log:
        f"logs/{SCREEN.screen}/normalize_plate/{{table}}.log",
    benchmark:
        f"logs/{SCREEN.screen}/normalize_plate/{{table}}.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=section("normalize_plate"),
        plates=section("plates"),
        plate_list=option("--plate-list", PLATE_LIST),
        version=VERSION,
    shell:
        "dssl normalize_plate --settings {params.settings:q} --plates {params.plates:q} "
        "--table {input.table} {params.plate_list} --profiles {output.profiles} "
        "--quality {output.quality} --provenance {output.provenance} 2> {log}"


rule assemble_profiles:
    input:
        plates=expand(rules.normalize_plate.output.profiles, table=TABLES),
        annotation=ANNOTATION or [],
    output:
        profiles=f"{OUT}/assemble_profiles/profiles.h5ad",
        dropped_features=f"{OUT}/assemble_profiles/dropped_features.tsv",
        state=f"{OUT}/assemble_profiles/state.safetensors",
        provenance=f"{OUT}/assemble_profiles/provenance.json",
    log:
        f"logs/{SCREEN.screen}/assemble_profiles.log",
    benchmark:
        f"logs/{SCREEN.screen}/assemble_profiles.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        settings=section("assemble_profiles"),
        annotation=option("--annotation", ANNOTATION),
        version=VERSION,
    shell:
        "dssl assemble_profiles --settings {params.settings:q} --plates {input.plates} "
        "{params.annotation} --profiles {output.profiles} "
        "--dropped-features {output.dropped_features} --state {output.state} "
        "--provenance {output.provenance} 2> {log}"
