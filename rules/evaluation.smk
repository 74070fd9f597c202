rule evaluate:
    """Compare predictions with the votes of held-out galaxies, and with baselines."""
    input:
        predictions=of_chunks(
            "results/predictions/{run_name}/{run_name}_{chunk}.hdf5",
            kinds=["labelled"],
        ),
        test="results/catalog/test.parquet",
        baselines=["results/baselines/linear.hdf5", "results/baselines/constant.hdf5"],
    output:
        metrics="results/evaluation/{run_name}_metrics.csv",
        answers="results/evaluation/{run_name}_answers.csv",
        confusion="results/evaluation/{run_name}_confusion.csv",
        volunteers="results/evaluation/{run_name}_volunteers.csv",
        volunteer_errors="results/evaluation/{run_name}_volunteer_errors.csv",
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
        "--predictions {input.predictions} --test {input.test} "
        "--baselines {input.baselines} --metrics {output.metrics} "
        "--answers {output.answers} --confusion {output.confusion} "
        "--volunteers {output.volunteers} "
        "--volunteer-errors {output.volunteer_errors} "
        "{params.settings} > {log} 2>&1"


rule calibrate:
    """Check on held-out galaxies that the stated probabilities come true."""
    input:
        predictions=of_chunks(
            "results/predictions/{run_name}/{run_name}_{chunk}.hdf5",
            kinds=["labelled"],
        ),
        test="results/catalog/test.parquet",
    output:
        coverage="results/evaluation/{run_name}_coverage.csv",
        pit="results/evaluation/{run_name}_pit.csv",
        reliability="results/evaluation/{run_name}_reliability.csv",
        calibration_error="results/evaluation/{run_name}_calibration_error.csv",
    log:
        "results/logs/calibrate_{run_name}.log",
    benchmark:
        "results/benchmarks/calibrate_{run_name}.tsv"
    conda:
        "../envs/zoobot.yaml"
    params:
        settings=option_string(settings.calibrate),
        code=code_digest("calibrate"),
    shell:
        "python -m workflow_scripts.calibrate "
        "--predictions {input.predictions} --test {input.test} "
        "--coverage {output.coverage} --pit {output.pit} "
        "--reliability {output.reliability} "
        "--calibration-error {output.calibration_error} "
        "{params.settings} > {log} 2>&1"


rule plot_evaluation:
    """Draw the figures of the evaluation, the calibration and the training."""
    input:
        tables=of_chunks(
            expand(
                "results/evaluation/{{run_name}}_{table}.csv",
                table=[
                    "metrics",
                    "answers",
                    "confusion",
                    "volunteers",
                    "volunteer_errors",
                    "coverage",
                    "pit",
                    "reliability",
                    "calibration_error",
                ],
            )
        ),
        histories=expand(
            "results/models/{{run_name}}/{member}/history.csv", member=MEMBERS
        ),
    output:
        expand(
            "results/evaluation/{{run_name}}_{figure}.png",
            figure=[
                "training",
                "metrics",
                "confusion",
                "answers",
                "volunteers",
                "coverage",
                "pit",
                "reliability",
            ],
        ),
    log:
        "results/logs/plot_evaluation_{run_name}.log",
    benchmark:
        "results/benchmarks/plot_evaluation_{run_name}.tsv"
    conda:
        "../envs/zoobot.yaml"
    params:
        code=code_digest("plot_evaluation"),
    shell:
        "python -m workflow_scripts.plot_evaluation "
        "--evaluation results/evaluation/{wildcards.run_name} "
        "--histories {input.histories} > {log} 2>&1"


rule report:
    """The headline figures and pictures on one page, and as text."""
    input:
        tables=expand(
            "results/evaluation/{run_name}_{table}.csv",
            run_name=settings.run_name,
            table=["metrics", "volunteers", "coverage", "calibration_error"],
        ),
        figures=expand(rules.plot_evaluation.output, run_name=settings.run_name),
        variance=f"{PCA}_variance.csv",
        variance_figure=f"{PCA}_variance.png",
        ring_metrics=f"results/rings/{settings.run_name}/metrics.json",
        rings=f"results/rings/{settings.run_name}_rings.parquet",
        labelled="results/catalog/labelled.parquet",
        unlabelled="results/catalog/unlabelled.parquet",
        rejected="results/catalog/rejected.csv",
        card=f"results/models/{settings.run_name}/0/card.json",
        train="results/catalog/train.parquet",
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
        "--evaluation results/evaluation/{params.run_name} "
        "--variance {input.variance} --variance-figure {input.variance_figure} "
        "--ring-metrics {input.ring_metrics} --rings {input.rings} "
        "--survey {input.labelled} {input.unlabelled} --rejected {input.rejected} "
        "--card {input.card} --train {input.train} "
        "--html {output.html} --headline {output.headline} > {log} 2>&1"
