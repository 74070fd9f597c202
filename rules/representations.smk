rule extract_representations:
    """Sweep one member's encoder over one chunk of galaxies."""
    input:
        chunk="results/catalog/chunks/{index}.parquet",
        encoder="results/models/{run_name}/{member}/encoder.keras",
        card="results/models/{run_name}/{member}/card.json",
    output:
        "results/representations/{run_name}/{member}/{run_name}_{index}.hdf5",
    log:
        "results/logs/extract_representations_{run_name}_{member}_{index}.log",
    benchmark:
        "results/benchmarks/extract_representations_{run_name}_{member}_{index}.tsv"
    retries: 1
    conda:
        "../envs/zoobot.yaml"
    threads: 64
    resources:
        gpu=1,
    params:
        settings=option_string(settings.extract_representations),
        code=code_digest("extract_representations"),
    shell:
        "python -m workflow_scripts.extract_representations "
        "--chunk {input.chunk} "
        "--model results/models/{wildcards.run_name}/{wildcards.member} "
        "--representations {output} --threads {threads} {params.settings} "
        "> {log} 2>&1"


rule compress_representations:
    """Incremental PCA of the representations of member 0."""
    input:
        of_all_chunks("results/representations/{run_name}/0/{run_name}_{index}.hdf5"),
    output:
        compressed="results/representations/{run_name}_pca{n_components}.parquet",
        model="results/representations/{run_name}_pca{n_components}_model.npz",
        variance="results/representations/{run_name}_pca{n_components}_variance.csv",
        figure="results/representations/{run_name}_pca{n_components}_variance.png",
    log:
        "results/logs/compress_representations_{run_name}_{n_components}.log",
    benchmark:
        "results/benchmarks/compress_representations_{run_name}_{n_components}.tsv"
    conda:
        "../envs/zoobot.yaml"
    params:
        settings=option_string(settings.compress_representations),
        code=code_digest("compress_representations"),
    shell:
        "python -m workflow_scripts.compress_representations "
        "--representations {input} --compressed {output.compressed} "
        "--model {output.model} --variance {output.variance} --figure {output.figure} "
        "{params.settings} > {log} 2>&1"
