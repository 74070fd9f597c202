rule prepare_ring_catalog:
    """Galaxies with labels, rings by the cuts or any other; the rest with reasons."""
    input:
        catalogs=in_data_folder(settings.prepare_ring_catalog.catalogs),
        labelled="results/catalog/labelled.parquet",
        unlabelled="results/catalog/unlabelled.parquet",
        schema=schema_file(settings.prepare_ring_catalog.label),
    output:
        catalog="results/rings/catalog.csv",
        rejected="results/rings/rejected.csv",
    log:
        "results/logs/prepare_ring_catalog.log",
    benchmark:
        "results/benchmarks/prepare_ring_catalog.tsv"
    conda:
        "../envs/zoobot.yaml"
    params:
        settings=option_string(settings.prepare_ring_catalog),
        split=(
            f"--split-train {settings.split_catalog.train} "
            f"--split-val {settings.split_catalog.val} "
            f"--split-seed {settings.split_catalog.seed}"
        ),
        data_folder=settings.data_folder,
        code=code_digest("prepare_ring_catalog"),
    shell:
        "python -m workflow_scripts.prepare_ring_catalog "
        "--survey {input.labelled} {input.unlabelled} --data-folder {params.data_folder:q} "
        "--catalog {output.catalog} --rejected {output.rejected} "
        "{params.split} {params.settings} > {log} 2>&1"


rule finetune_rings:
    """Train the ring finder on member 0 and measure it on held-out galaxies."""
    input:
        catalog="results/rings/catalog.csv",
        representations=of_chunks(
            "results/representations/{run_name}/0/{run_name}_{chunk}.hdf5"
        ),
        encoder="results/models/{run_name}/0/encoder.keras",
        card="results/models/{run_name}/0/card.json",
        schema=schema_file(settings.prepare_ring_catalog.label),
    output:
        head="results/rings/{run_name}/head.keras",
        encoder="results/rings/{run_name}/encoder.keras",
        card="results/rings/{run_name}/card.json",
        task="results/rings/{run_name}/task.json",
        metrics="results/rings/{run_name}/metrics.json",
        held_out="results/rings/{run_name}/held_out.csv",
    log:
        "results/logs/finetune_rings_{run_name}.log",
    benchmark:
        "results/benchmarks/finetune_rings_{run_name}.tsv"
    wildcard_constraints:
        run_name=RINGS_TO_FINETUNE,
    conda:
        "../envs/zoobot_gpu.yaml"
    threads: 64
    resources:
        gpu=settings.finetune_rings.n_gpus,
    params:
        settings=option_string(settings.finetune_rings),
        labels=(
            f"--label {shlex.quote(settings.prepare_ring_catalog.label)} "
            f"--task {settings.prepare_ring_catalog.task}"
        ),
        recipe=RECIPES.finetune_rings,
        code=code_digest("finetune_rings"),
    shell:
        "python -m workflow_scripts.finetune_rings "
        "--catalog {input.catalog} --representations {input.representations} "
        "--model results/models/{wildcards.run_name}/0 "
        "--rings results/rings/{wildcards.run_name} --recipe {params.recipe} "
        "{params.labels} {params.settings} > {log} 2>&1"


rule find_rings:
    """Ring probability of every galaxy in one chunk."""
    input:
        chunk="results/catalog/chunks/{chunk}.parquet",
        representations="results/representations/{run_name}/0/{run_name}_{chunk}.hdf5",
        head="results/rings/{run_name}/head.keras",
        encoder="results/rings/{run_name}/encoder.keras",
        card="results/rings/{run_name}/card.json",
        task="results/rings/{run_name}/task.json",
    output:
        "results/rings/{run_name}/{run_name}_{chunk}.parquet",
    log:
        "results/logs/find_rings_{run_name}_{chunk}.log",
    benchmark:
        "results/benchmarks/find_rings_{run_name}_{chunk}.tsv"
    conda:
        "../envs/zoobot_gpu.yaml"
    threads: 64
    resources:
        gpu=settings.finetune_rings.n_gpus,
    params:
        settings=option_string(settings.finetune_rings),
        code=code_digest("find_rings"),
    shell:
        "python -m workflow_scripts.find_rings "
        "--chunk {input.chunk} --representations {input.representations} "
        "--rings results/rings/{wildcards.run_name} --table {output} "
        "{params.settings} > {log} 2>&1"


rule summarise_rings:
    """Every galaxy's ring probability as one table, most likely rings first."""
    input:
        of_chunks("results/rings/{run_name}/{run_name}_{chunk}.parquet"),
    output:
        parquet="results/rings/{run_name}_rings.parquet",
        csv="results/rings/{run_name}_rings.csv",
        fits="results/rings/{run_name}_rings.fits",
    log:
        "results/logs/summarise_rings_{run_name}.log",
    benchmark:
        "results/benchmarks/summarise_rings_{run_name}.tsv"
    conda:
        "../envs/zoobot.yaml"
    params:
        code=code_digest("summarise_rings"),
    shell:
        "python -m workflow_scripts.summarise_rings "
        "--tables {input} --parquet {output.parquet} --csv {output.csv} "
        "--fits {output.fits} > {log} 2>&1"
