"""Plates to comparable profiles."""


rule normalize_plate:
    input:
        table=lambda wildcards: TABLES[wildcards.table],
        plate_list=PLATE_LIST or [],
        metadata=METADATA,
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
        mem_mb=memory("normalize_plate"),
        runtime=runtime("normalize_plate", together=50),
        turn=1,
    params:
        settings=section("normalize_plate"),
        plates=PLATES,
        plate_list=option("--plate-list", PLATE_LIST),
        metadata=option("--metadata", *METADATA),
        version=VERSION,
    shell:
        "dssl normalize_plate --settings {params.settings:q} --plates {params.plates:q} "
        "--table {input.table} {params.plate_list} {params.metadata} --profiles {output.profiles} "
        "--quality {output.quality} --provenance {output.provenance} 2> {log}"


rule list_plates:
    input:
        tables=lambda wildcards: [TABLES[table] for table in PARTS[wildcards.part]],
        profiles=tables_of(rules.normalize_plate.output.profiles),
        quality=tables_of(rules.normalize_plate.output.quality),
    output:
        plates=f"{OUT}/list_plates/{{part}}.tsv",
        provenance=f"{OUT}/list_plates/{{part}}.provenance.json",
    log:
        f"logs/{SCREEN.screen}/list_plates/{{part}}.log",
    benchmark:
        f"logs/{SCREEN.screen}/list_plates/{{part}}.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("list_plates"),
        runtime=runtime("list_plates"),
    params:
        settings=section("list_files"),
        version=VERSION,
    shell:
        "dssl list_plates --settings {params.settings:q} --tables {input.tables} "
        "--profiles {input.profiles} --quality {input.quality} --plates {output.plates} "
        "--provenance {output.provenance} 2> {log}"


rule assemble_profiles:
    input:
        plates=expand(rules.list_plates.output.plates, part=PARTS),
        profiles=expand(rules.normalize_plate.output.profiles, table=TABLES),
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
        mem_mb=memory("assemble_profiles"),
        runtime=runtime("assemble_profiles"),
    params:
        settings=section("assemble_profiles"),
        annotation=option("--annotation", ANNOTATION),
        version=VERSION,
    shell:
        "dssl assemble_profiles --settings {params.settings:q} --plates {input.plates} "
        "{params.annotation} --profiles {output.profiles} "
        "--dropped-features {output.dropped_features} --state {output.state} "
        "--provenance {output.provenance} 2> {log}"


rule call_activity:
    input:
        profiles=rules.assemble_profiles.output.profiles,
        aliases=rules.standardize_molecules.output.aliases,
    output:
        activity=f"{OUT}/call_activity/activity.tsv",
        provenance=f"{OUT}/call_activity/provenance.json",
    log:
        f"logs/{SCREEN.screen}/call_activity.log",
    benchmark:
        f"logs/{SCREEN.screen}/call_activity.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory("call_activity"),
        runtime=runtime("call_activity"),
    params:
        settings=section("call_activity"),
        version=VERSION,
    shell:
        "dssl call_activity --settings {params.settings:q} --profiles {input.profiles} "
        "--aliases {input.aliases} --activity {output.activity} "
        "--provenance {output.provenance} 2> {log}"
