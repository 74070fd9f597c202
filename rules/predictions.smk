rule predict:
    """Dropout passes of every member's head over one chunk's representations."""
    input:
        representations=expand(
            "results/representations/{{run_name}}/{member}/{{run_name}}_{{chunk}}.hdf5",
            member=MEMBERS,
        ),
        heads=expand("results/models/{{run_name}}/{member}/head.npz", member=MEMBERS),
        cards=expand("results/models/{{run_name}}/{member}/card.json", member=MEMBERS),
    output:
        "results/predictions/{run_name}/{run_name}_{chunk}.hdf5",
    log:
        "results/logs/predict_{run_name}_{chunk}.log",
    benchmark:
        "results/benchmarks/predict_{run_name}_{chunk}.tsv"
    conda:
        "../envs/zoobot.yaml"
    params:
        models=expand(
            "results/models/{run_name}/{member}",
            run_name=settings.run_name,
            member=MEMBERS,
        ),
        settings=option_string(settings.predict),
        code=code_digest("predict"),
    shell:
        "python -m workflow_scripts.predict "
        "--representations {input.representations} --models {params.models} "
        "--predictions {output} {params.settings} > {log} 2>&1"


rule summarise_predictions:
    """Posterior of every vote fraction: all of it, and a table for people."""
    input:
        of_chunks("results/predictions/{run_name}/{run_name}_{chunk}.hdf5"),
    output:
        parquet="results/predictions/{run_name}_vote_fractions.parquet",
        csv="results/predictions/{run_name}_vote_fractions.csv",
        fits="results/predictions/{run_name}_vote_fractions.fits",
        friendly_parquet="results/predictions/{run_name}_vote_fractions_friendly.parquet",
        friendly_csv="results/predictions/{run_name}_vote_fractions_friendly.csv",
        friendly_fits="results/predictions/{run_name}_vote_fractions_friendly.fits",
    log:
        "results/logs/summarise_predictions_{run_name}.log",
    benchmark:
        "results/benchmarks/summarise_predictions_{run_name}.tsv"
    conda:
        "../envs/zoobot.yaml"
    threads: 64
    params:
        settings=option_string(settings.summarise_predictions),
        code=code_digest("summarise_predictions"),
    shell:
        "python -m workflow_scripts.summarise_predictions "
        "--predictions {input} --parquet {output.parquet} --csv {output.csv} "
        "--fits {output.fits} --friendly-parquet {output.friendly_parquet} "
        "--friendly-csv {output.friendly_csv} --friendly-fits {output.friendly_fits} "
        "--threads {threads} {params.settings} > {log} 2>&1"
