rule measure_images:
    """Simple statistics of the images of one chunk of labelled galaxies."""
    input:
        "results/catalog/chunks/{chunk}.parquet",
    output:
        "results/image_statistics/{chunk}.parquet",
    log:
        "results/logs/measure_images_{chunk}.log",
    benchmark:
        "results/benchmarks/measure_images_{chunk}.tsv"
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
        statistics=of_chunks(
            "results/image_statistics/{chunk}.parquet", kinds=["labelled"]
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
        "--statistics {input.statistics} "
        "--train {input.train} --test {input.test} --schema {params.schema:q} "
        "--constant {output.constant} --linear {output.linear} "
        "{params.settings} > {log} 2>&1"
