"""SMILES to features."""


rule standardize_molecules:
    input:
        table=MOLECULES,
    output:
        molecules=f"{OUT}/standardize_molecules/molecules.tsv",
        aliases=f"{OUT}/standardize_molecules/aliases.tsv",
        rejected=f"{OUT}/standardize_molecules/rejected.tsv",
        merged=f"{OUT}/standardize_molecules/merged.tsv",
        changed=f"{OUT}/standardize_molecules/changed.tsv",
        provenance=f"{OUT}/standardize_molecules/provenance.json",
    log:
        f"logs/{SCREEN.screen}/standardize_molecules.log",
    benchmark:
        f"logs/{SCREEN.screen}/standardize_molecules.benchmark.tsv"
    group:
        small("molecules")
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        mem_mb=memory("standardize_molecules"),
        runtime=runtime("standardize_molecules"),
    params:
        settings=section("standardize_molecules"),
        columns=section("molecules"),
        version=VERSION,
    shell:
        "dssl standardize_molecules --settings {params.settings:q} --columns {params.columns:q} "
        "--table {input.table} --molecules {output.molecules} --aliases {output.aliases} "
        "--rejected {output.rejected} --merged {output.merged} --changed {output.changed} --threads {threads} "
        "--provenance {output.provenance} 2> {log}"


if SECOND:
    SECOND_LIST = (
        str(locate(SECOND, SECOND.plates.plate_list))
        if SECOND.plates.plate_list
        else None
    )
    SECOND_METADATA = [
        str(locate(SECOND, each.table)) for each in SECOND.plates.metadata
    ]

    rule profile_second_assay:
        input:
            molecules=rules.standardize_molecules.output.molecules,
            second_molecules=str(molecule_table(SECOND)),
            tables=[str(path) for path in plate_tables(SECOND).values()],
            plate_list=SECOND_LIST or [],
            metadata=SECOND_METADATA,
        output:
            features=f"{OUT}/profile_second_assay/features.h5ad",
            compounds=f"{OUT}/profile_second_assay/compounds.tsv",
            profiles=f"{OUT}/profile_second_assay/profiles.h5ad",
            aliases=f"{OUT}/profile_second_assay/aliases.tsv",
            state=f"{OUT}/profile_second_assay/state.safetensors",
            rejected=f"{OUT}/profile_second_assay/rejected.tsv",
            excluded_wells=f"{OUT}/profile_second_assay/excluded_wells.tsv",
            without=f"{OUT}/profile_second_assay/without.tsv",
            provenance=f"{OUT}/profile_second_assay/provenance.json",
        log:
            f"logs/{SCREEN.screen}/profile_second_assay.log",
        benchmark:
            f"logs/{SCREEN.screen}/profile_second_assay.benchmark.tsv"
        conda:
            "../../environment.yml"
        threads: 2
        resources:
            mem_mb=memory("profile_second_assay"),
            runtime=runtime("profile_second_assay"),
        params:
            settings=section("second_assay"),
            plate_list=option("--plate-list", SECOND_LIST),
            metadata=option("--metadata", *SECOND_METADATA),
            version=VERSION,
        shell:
            "dssl profile_second_assay --settings {params.settings:q} --molecules {input.molecules} "
            "--second-molecules {input.second_molecules} --tables {input.tables} "
            "{params.plate_list} {params.metadata} --features {output.features} "
            "--compounds {output.compounds} --profiles {output.profiles} "
            "--aliases {output.aliases} --state {output.state} "
            "--rejected {output.rejected} --excluded-wells {output.excluded_wells} "
            "--without {output.without} --threads {threads} "
            "--provenance {output.provenance} 2> {log}"


rule featurize_molecules:
    input:
        # with a second assay, those of the compounds of either
        molecules=(
            rules.profile_second_assay.output.compounds
            if SECOND
            else rules.standardize_molecules.output.molecules
        ),
    output:
        features=f"{OUT}/featurize_molecules/features.h5ad",
        provenance=f"{OUT}/featurize_molecules/provenance.json",
    log:
        f"logs/{SCREEN.screen}/featurize_molecules.log",
    benchmark:
        f"logs/{SCREEN.screen}/featurize_molecules.benchmark.tsv"
    group:
        small("molecules")
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        mem_mb=memory("featurize_molecules"),
        runtime=runtime("featurize_molecules"),
    params:
        settings=section("featurize_molecules"),
        version=VERSION,
    shell:
        "dssl featurize_molecules --settings {params.settings:q} --molecules {input.molecules} "
        "--features {output.features} --threads {threads} "
        "--provenance {output.provenance} 2> {log}"


# what stands opposite the phenotype: features of the molecules, or their profiles in a second assay
PARTNER = rules.profile_second_assay if SECOND else rules.featurize_molecules
