# What training reads: shards, or the tables they would be made of and the image files.
TRAINS_ON = "results/shards/{split}/s{size}_shard_{shard}.tfrecord"
if settings.train.shards == "none":
    TRAINS_ON = "results/catalog/shards/{split}_{shard}.parquet"


rule write_shards:
    """Store the images and votes of some galaxies as one TFRecord."""
    input:
        "results/catalog/shards/{split}_{shard}.parquet",
    output:
        "results/shards/{split}/s{size}_shard_{shard}.tfrecord",
    log:
        "results/logs/write_shards_{split}_s{size}_{shard}.log",
    benchmark:
        "results/benchmarks/write_shards_{split}_s{size}_{shard}.tsv"
    conda:
        "../envs/zoobot.yaml"
    threads: 4
    params:
        settings=option_string(settings.write_shards),
        code=code_digest("write_shards"),
    shell:
        "python -m workflow_scripts.write_shards "
        "--catalog {input} --shard {output} --threads {threads} "
        "{params.settings} > {log} 2>&1"


rule train:
    """Train one member of the ensemble."""
    input:
        train=of_shards(TRAINS_ON, split="train"),
        val=of_shards(TRAINS_ON, split="val"),
        schema=schema_file(),
    output:
        encoder="results/models/{run_name}/{member}/encoder.keras",
        head="results/models/{run_name}/{member}/head.npz",
        card="results/models/{run_name}/{member}/card.json",
        history="results/models/{run_name}/{member}/history.csv",
    log:
        "results/logs/train_{run_name}_{member}.log",
    benchmark:
        "results/benchmarks/train_{run_name}_{member}.tsv"
    wildcard_constraints:
        member=MEMBERS_TO_TRAIN,
    conda:
        "../envs/zoobot_gpu.yaml"
    threads: 64
    resources:
        gpu=settings.train.n_gpus,
    params:
        settings=option_string(settings.train),
        schema=settings.schema_name,
        image_size=settings.write_shards.image_size_px,
        recipe=RECIPES.train,
        code=code_digest("train"),
    shell:
        "python -m workflow_scripts.train "
        "--train-shards {input.train} --val-shards {input.val} "
        "--image-size {params.image_size} "
        "--schema {params.schema:q} --member {wildcards.member} "
        "--model results/models/{wildcards.run_name}/{wildcards.member} "
        "--tensorboard results/logs/tensorboard/{wildcards.run_name}/{wildcards.member} "
        "--checkpoint results/checkpoints/{wildcards.run_name}/{wildcards.member} "
        "--code {params.code} --threads {threads} --n-gpus {resources.gpu} "
        "--recipe {params.recipe} "
        "{params.settings} > {log} 2>&1"
