rule evaluate:
    """Compare predictions with the votes of held-out galaxies."""
    input:
        predictions=of_all_chunks(
            "results/predictions/{run_name}/{run_name}_{index}.hdf5"
        ),
        test="results/catalog/test.parquet",
        train="results/catalog/train.parquet",
    output:
        metrics="results/evaluation/{run_name}_metrics.csv",
        figure="results/evaluation/{run_name}_metrics.png",
    log:
        "results/logs/evaluate_{run_name}.log",
    benchmark:
        "results/benchmarks/evaluate_{run_name}.tsv"
    conda:
        "../envs/zoobot.yaml"
    params:
        settings=option_string(settings.evaluate),
        code=code_digest("evaluate"),
    shell:
        "python -m workflow_scripts.evaluate "
        "--predictions {input.predictions} --test {input.test} --train {input.train} "
        "--metrics {output.metrics} --figure {output.figure} "
        "{params.settings} > {log} 2>&1"


rule report:
    """The headline figures and pictures on one page, and as text."""
    input:
        metrics=f"results/evaluation/{settings.run_name}_metrics.csv",
        metrics_figure=f"results/evaluation/{settings.run_name}_metrics.png",
        histories=expand(
            "results/models/{run_name}/{member}/history.csv",
            run_name=settings.run_name,
            member=MEMBERS,
        ),
        variance=f"{PCA}_variance.csv",
        variance_figure=f"{PCA}_variance.png",
        ring_metrics=f"results/rings/{settings.run_name}/metrics.json",
        rings=f"results/rings/{settings.run_name}_rings.parquet",
        labelled="results/catalog/labelled.parquet",
        unlabelled="results/catalog/unlabelled.parquet",
        rejected="results/catalog/rejected.csv",
    output:
        html="results/report.html",
        headline="results/headline.txt",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../envs/zoobot.yaml"
    params:
        run_name=settings.run_name,
        code=code_digest("report"),
    shell:
        "python -m workflow_scripts.report --run-name {params.run_name} "
        "--metrics {input.metrics} --metrics-figure {input.metrics_figure} "
        "--histories {input.histories} --variance {input.variance} "
        "--variance-figure {input.variance_figure} "
        "--ring-metrics {input.ring_metrics} --rings {input.rings} "
        "--survey {input.labelled} {input.unlabelled} --rejected {input.rejected} "
        "--html {output.html} --headline {output.headline} > {log} 2>&1"
