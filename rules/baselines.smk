rule measure_images:
    """Simple statistics of the images of one shard's galaxies."""
    input:
        "results/catalog/shards/{split}_{index}.parquet",
    output:
        "results/image_statistics/{split}_{index}.parquet",
    log:
        "results/logs/measure_images_{split}_{index}.log",
    benchmark:
        "results/benchmarks/measure_images_{split}_{index}.tsv"
    conda:
        "../envs/zoobot.yaml"
    threads: 4
    params:
        settings=option_string(settings.measure_images),
        code=code_digest("measure_images"),
    shell:
        "python -m workflow_scripts.measure_images "
        "--galaxies {input} --statistics {output} --threads {threads} "
        "{params.settings} > {log} 2>&1"


rule predict_baselines:
    """What a network must beat: a constant, and a linear model on the statistics."""
    input:
        train_statistics=of_shards(
            "results/image_statistics/{split}_{index}.parquet", split="train"
        ),
        test_statistics=of_shards(
            "results/image_statistics/{split}_{index}.parquet", split="test"
        ),
        train="results/catalog/train.parquet",
        test="results/catalog/test.parquet",
        schema=schema_file(),
    output:
        constant="results/baselines/constant.hdf5",
        linear="results/baselines/linear.hdf5",
    log:
        "results/logs/predict_baselines.log",
    benchmark:
        "results/benchmarks/predict_baselines.tsv"
    conda:
        "../envs/zoobot.yaml"
    params:
        settings=option_string(settings.predict_baselines),
        schema=settings.schema_name,
        code=code_digest("predict_baselines"),
    shell:
        "python -m workflow_scripts.predict_baselines "
        "--train-statistics {input.train_statistics} "
        "--test-statistics {input.test_statistics} "
        "--train {input.train} --test {input.test} --schema {params.schema:q} "
        "--constant {output.constant} --linear {output.linear} "
        "{params.settings} > {log} 2>&1"
