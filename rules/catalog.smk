rule simulate_survey:
    """Draw the demo's galaxies and let simulated volunteers vote."""
    output:
        labelled="results/survey/labelled.csv",
        unlabelled="results/survey/unlabelled.csv",
        truth="results/survey/truth.parquet",
        examples="results/survey/examples.png",
    log:
        "results/logs/simulate_survey.log",
    benchmark:
        "results/benchmarks/simulate_survey.tsv"
    conda:
        "../envs/zoobot.yaml"
    threads: 64
    params:
        settings=option_string(settings.simulate_survey),
        code=code_digest("simulate_survey"),
    shell:
        "python -m workflow_scripts.simulate_survey "
        "--folder results/survey --threads {threads} {params.settings} > {log} 2>&1"


rule prepare_catalog:
    """Check every row and image; keep the good, list the rest with reasons."""
    input:
        catalogs=in_data_folder(settings.prepare_catalog.tables),
        images=["results/images"] if settings.unpack_images.archives else [],
        schema=schema_file(),
    output:
        labelled="results/catalog/labelled.parquet",
        unlabelled="results/catalog/unlabelled.parquet",
        rejected="results/catalog/rejected.csv",
        images=directory("results/catalog/images"),
    log:
        "results/logs/prepare_catalog.log",
    benchmark:
        "results/benchmarks/prepare_catalog.tsv"
    conda:
        "../envs/zoobot.yaml"
    threads: 64
    params:
        settings=option_string(settings.prepare_catalog),
        rendering=option_string(settings.render_fits),
        schema=settings.schema_name,
        data_folder=settings.data_folder,
        code=code_digest("prepare_catalog"),
    shell:
        "python -m workflow_scripts.prepare_catalog "
        "--schema {params.schema:q} --data-folder {params.data_folder:q} --labelled {output.labelled} "
        "--unlabelled {output.unlabelled} --rejected {output.rejected} "
        "--images-folder {output.images} --kept-images results/catalog/kept_images "
        "--code {params.code} --threads {threads} {params.settings} "
        "{params.rendering} > {log} 2>&1"


checkpoint split_catalog:
    """Decide by a hash of its id whether a galaxy trains, validates or is held out."""
    input:
        "results/catalog/labelled.parquet",
    output:
        train="results/catalog/train.parquet",
        val="results/catalog/val.parquet",
        test="results/catalog/test.parquet",
        shards=directory("results/catalog/shards"),
    log:
        "results/logs/split_catalog.log",
    benchmark:
        "results/benchmarks/split_catalog.tsv"
    conda:
        "../envs/zoobot.yaml"
    params:
        settings=option_string(settings.split_catalog),
        code=code_digest("split_catalog"),
    shell:
        "python -m workflow_scripts.split_catalog "
        "--labelled {input} --train-catalog {output.train} --val-catalog {output.val} "
        "--test-catalog {output.test} --shards-folder {output.shards} "
        "{params.settings} > {log} 2>&1"


checkpoint chunk_catalog:
    """Cut all galaxies, labelled or not, into the chunks that the encoder sweeps."""
    input:
        labelled="results/catalog/labelled.parquet",
        unlabelled="results/catalog/unlabelled.parquet",
    output:
        chunks=directory("results/catalog/chunks"),
    log:
        "results/logs/chunk_catalog.log",
    benchmark:
        "results/benchmarks/chunk_catalog.tsv"
    conda:
        "../envs/zoobot.yaml"
    params:
        settings=option_string(settings.chunk_catalog),
        code=code_digest("chunk_catalog"),
    shell:
        "python -m workflow_scripts.chunk_catalog "
        "--labelled {input.labelled} --unlabelled {input.unlabelled} "
        "--chunks-folder {output.chunks} {params.settings} > {log} 2>&1"
