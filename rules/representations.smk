rule extract_representations:
    """Sweep one member's encoder over one chunk of galaxies."""
    input:
        chunk="results/catalog/chunks/{chunk}.parquet",
        encoder="results/models/{run_name}/{member}/encoder.keras",
        card="results/models/{run_name}/{member}/card.json",
    output:
        "results/representations/{run_name}/{member}/{run_name}_{chunk}.hdf5",
    log:
        "results/logs/extract_representations_{run_name}_{member}_{chunk}.log",
    benchmark:
        "results/benchmarks/extract_representations_{run_name}_{member}_{chunk}.tsv"
    retries: 1
    conda:
        "../envs/zoobot_gpu.yaml"
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


rule fit_pca:
    """Incremental PCA of the representations of member 0."""
    input:
        of_chunks("results/representations/{run_name}/0/{run_name}_{chunk}.hdf5"),
    output:
        model="results/representations/{run_name}_pca{n_components}_model.npz",
        variance="results/representations/{run_name}_pca{n_components}_variance.csv",
        figure="results/representations/{run_name}_pca{n_components}_variance.png",
    log:
        "results/logs/fit_pca_{run_name}_{n_components}.log",
    benchmark:
        "results/benchmarks/fit_pca_{run_name}_{n_components}.tsv"
    wildcard_constraints:
        n_components=PCAS_TO_FIT,
    conda:
        "../envs/zoobot.yaml"
    params:
        settings=option_string(settings.compress_representations),
        recipe=RECIPES.fit_pca,
        code=code_digest("fit_pca"),
    shell:
        "python -m workflow_scripts.fit_pca "
        "--representations {input} --model {output.model} "
        "--variance {output.variance} --figure {output.figure} "
        "--recipe {params.recipe} {params.settings} > {log} 2>&1"


rule compress_representations:
    """Principal components of one chunk's representations."""
    input:
        representations="results/representations/{run_name}/0/{run_name}_{chunk}.hdf5",
        model="results/representations/{run_name}_pca{n_components}_model.npz",
    output:
        "results/representations/{run_name}_pca{n_components}/{run_name}_{chunk}.parquet",
    log:
        "results/logs/compress_representations_{run_name}_{n_components}_{chunk}.log",
    benchmark:
        "results/benchmarks/compress_representations_{run_name}_{n_components}_{chunk}.tsv"
    conda:
        "../envs/zoobot.yaml"
    params:
        settings=option_string(settings.compress_representations),
        code=code_digest("compress_representations"),
    shell:
        "python -m workflow_scripts.compress_representations "
        "--representations {input.representations} --model {input.model} "
        "--compressed {output} {params.settings} > {log} 2>&1"


rule summarise_representations:
    """Every galaxy's principal components as one table."""
    input:
        of_chunks("{pca}/{run_name}_{chunk}.parquet"),
    output:
        parquet="results/representations/{run_name}_pca{n_components}.parquet",
        fits="results/representations/{run_name}_pca{n_components}.fits",
    log:
        "results/logs/summarise_representations_{run_name}_{n_components}.log",
    benchmark:
        "results/benchmarks/summarise_representations_{run_name}_{n_components}.tsv"
    conda:
        "../envs/zoobot.yaml"
    params:
        code=code_digest("summarise_representations"),
    shell:
        "python -m workflow_scripts.summarise_representations "
        "--tables {input} --compressed {output.parquet} --fits {output.fits} "
        "> {log} 2>&1"


rule tabulate_representations:
    """Representations of member 0 as one table, laid out as the released ones."""
    input:
        of_chunks("results/representations/{run_name}/0/{run_name}_{chunk}.hdf5"),
    output:
        "results/representations/{run_name}_cnn_features.parquet",
    log:
        "results/logs/tabulate_representations_{run_name}.log",
    benchmark:
        "results/benchmarks/tabulate_representations_{run_name}.tsv"
    conda:
        "../envs/zoobot.yaml"
    params:
        code=code_digest("tabulate_representations"),
    shell:
        "python -m workflow_scripts.tabulate_representations "
        "--representations {input} --features {output} > {log} 2>&1"
