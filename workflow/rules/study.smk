"""The paper's synthetic study: `snakemake study`, apart from the screen."""

from dssl.settings.study import load_study

try:
    STUDY = load_study(Path(STUDY_FILE))
except DsslError as error:
    raise WorkflowError(str(error))

STUDY_OUT = f"results/study/{STUDY.study}"
STUDY_SHARED = "preset~{preset}/noise~{noise}/beta~{beta}/seed~{seed}"
STUDY_SPECIFIC = "preset~{preset}/noise~{noise}/beta~{beta}/lambda~{lam}/seed~{seed}"
STUDY_BASELINE = "{method}/noise~{noise}/trial~{trial}/seed~{seed}"
STUDY_NOISES = [wildcard(value) for value in STUDY.noises]


wildcard_constraints:
    preset=r"[a-z_]+",
    noise=r"[0-9.e+-]+",


rule study_shared:
    output:
        model=f"{STUDY_OUT}/study_shared/{STUDY_SHARED}/model.safetensors",
        probes=f"{STUDY_OUT}/study_shared/{STUDY_SHARED}/probes.tsv",
        information=f"{STUDY_OUT}/study_shared/{STUDY_SHARED}/information.tsv",
        provenance=f"{STUDY_OUT}/study_shared/{STUDY_SHARED}/provenance.json",
    log:
        f"logs/study/{STUDY.study}/study_shared/{STUDY_SHARED}.log",
    benchmark:
        f"logs/study/{STUDY.study}/study_shared/{STUDY_SHARED}.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: STUDY.cpu_threads
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=STUDY.to_json(),
        version=VERSION,
    shell:
        "dssl study_shared --settings {params.settings:q} --preset {wildcards.preset} "
        "--noise {wildcards.noise} --beta {wildcards.beta} --seed {wildcards.seed} "
        "--model {output.model} --probes {output.probes} --information {output.information} "
        "--provenance {output.provenance} 2> {log}"


rule study_specific:
    input:
        shared=rules.study_shared.output.model,
    output:
        probes=f"{STUDY_OUT}/study_specific/{STUDY_SPECIFIC}/probes.tsv",
        provenance=f"{STUDY_OUT}/study_specific/{STUDY_SPECIFIC}/provenance.json",
    log:
        f"logs/study/{STUDY.study}/study_specific/{STUDY_SPECIFIC}.log",
    benchmark:
        f"logs/study/{STUDY.study}/study_specific/{STUDY_SPECIFIC}.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: STUDY.cpu_threads
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=STUDY.to_json(),
        version=VERSION,
    shell:
        "dssl study_specific --settings {params.settings:q} --preset {wildcards.preset} "
        "--noise {wildcards.noise} --beta {wildcards.beta} --lam {wildcards.lam} "
        "--seed {wildcards.seed} --shared {input.shared} --probes {output.probes} "
        "--provenance {output.provenance} 2> {log}"


rule study_baseline:
    output:
        probes=f"{STUDY_OUT}/study_baseline/{STUDY_BASELINE}/probes.tsv",
        provenance=f"{STUDY_OUT}/study_baseline/{STUDY_BASELINE}/provenance.json",
    log:
        f"logs/study/{STUDY.study}/study_baseline/{STUDY_BASELINE}.log",
    benchmark:
        f"logs/study/{STUDY.study}/study_baseline/{STUDY_BASELINE}.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: STUDY.cpu_threads
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=STUDY.to_json(),
        version=VERSION,
    shell:
        "dssl study_baseline --settings {params.settings:q} --method {wildcards.method} "
        "--noise {wildcards.noise} --trial {wildcards.trial} --seed {wildcards.seed} "
        "--probes {output.probes} --provenance {output.provenance} 2> {log}"


rule study_context:
    output:
        probes=f"{STUDY_OUT}/study_context/noise~{{noise}}/seed~{{seed}}/probes.tsv",
        information=f"{STUDY_OUT}/study_context/noise~{{noise}}/seed~{{seed}}/information.tsv",
        provenance=f"{STUDY_OUT}/study_context/noise~{{noise}}/seed~{{seed}}/provenance.json",
    log:
        f"logs/study/{STUDY.study}/study_context/noise~{{noise}}/seed~{{seed}}.log",
    benchmark:
        f"logs/study/{STUDY.study}/study_context/noise~{{noise}}/seed~{{seed}}.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=STUDY.to_json(),
        version=VERSION,
    shell:
        "dssl study_context --settings {params.settings:q} --noise {wildcards.noise} --seed {wildcards.seed} "
        "--probes {output.probes} --information {output.information} "
        "--provenance {output.provenance} 2> {log}"


STUDY_POINTS = [
    f"preset~{preset}/noise~{{noise}}/beta~{wildcard(beta)}"
    for preset, beta in STUDY.points(STUDY.betas)
]
STUDY_SPECIFIC_POINTS = [
    f"preset~{preset}/noise~{{noise}}/beta~{wildcard(beta)}"
    for preset, beta in STUDY.points(STUDY.specific_betas)
]
STUDY_FIRST = expand(
    expand("{point}/seed~{{seed}}", point=STUDY_POINTS),
    noise=STUDY_NOISES,
    seed=STUDY.seeds,
)
STUDY_SECOND = expand(
    expand("{point}/lambda~{{lam}}/seed~{{seed}}", point=STUDY_SPECIFIC_POINTS),
    noise=STUDY_NOISES,
    lam=[wildcard(value) for value in STUDY.lams],
    seed=STUDY.seeds,
)


rule study_report:
    input:
        probes=[
            *expand(
                f"{STUDY_OUT}/study_shared/{{point}}/probes.tsv", point=STUDY_FIRST
            ),
            *expand(
                f"{STUDY_OUT}/study_specific/{{point}}/probes.tsv", point=STUDY_SECOND
            ),
            *expand(
                rules.study_baseline.output.probes,
                method=STUDY.baselines,
                noise=STUDY_NOISES,
                trial=range(STUDY.baseline_trials),
                seed=STUDY.seeds,
            ),
            *expand(
                rules.study_context.output.probes,
                noise=STUDY_NOISES,
                seed=STUDY.seeds,
            ),
        ],
        information=[
            *expand(
                f"{STUDY_OUT}/study_shared/{{point}}/information.tsv",
                point=STUDY_FIRST,
            ),
            *expand(
                rules.study_context.output.information,
                noise=STUDY_NOISES,
                seed=STUDY.seeds,
            ),
        ],
        reference=STUDY.reference or [],
    output:
        study=f"{STUDY_OUT}/study.tsv",
        all_information=f"{STUDY_OUT}/information.tsv",
        agreement=f"{STUDY_OUT}/agreement.tsv",
        comparison=f"{STUDY_OUT}/comparison.tsv",
        figure_shared=f"{STUDY_OUT}/figure_4a.png",
        figure_shared_svg=f"{STUDY_OUT}/figure_4a.svg",
        figure_specific=f"{STUDY_OUT}/figure_4b.png",
        figure_specific_svg=f"{STUDY_OUT}/figure_4b.svg",
        figure_information=f"{STUDY_OUT}/information_plane.png",
        figure_information_svg=f"{STUDY_OUT}/information_plane.svg",
        provenance=f"{STUDY_OUT}/provenance.json",
    log:
        f"logs/study/{STUDY.study}/study_report.log",
    benchmark:
        f"logs/study/{STUDY.study}/study_report.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=STUDY.to_json(),
        reference=option("--reference", STUDY.reference),
        version=VERSION,
    shell:
        "dssl study_report --settings {params.settings:q} --probes {input.probes} "
        "--information {input.information} {params.reference} --study {output.study} "
        "--all-information {output.all_information} --agreement {output.agreement} "
        "--comparison {output.comparison} --figure-shared {output.figure_shared} "
        "--figure-shared-svg {output.figure_shared_svg} --figure-specific {output.figure_specific} "
        "--figure-specific-svg {output.figure_specific_svg} "
        "--figure-information {output.figure_information} "
        "--figure-information-svg {output.figure_information_svg} --provenance {output.provenance} 2> {log}"
