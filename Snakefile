# From a catalogue of galaxies to their morphology. `rules/` says which file comes from
# which, `workflow_scripts/` what is run, `zoobot/` how.

import sys

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.0")

# This checkout's library, whatever else is installed under its name.
sys.path.insert(0, workflow.basedir)


configfile: workflow.source_path("config.yaml")


# Seconds of work, which on a cluster are not worth a place in the queue.
localrules:
    all,
    plot_evaluation,
    report,


include: "rules/common.smk"
include: "rules/kept_models.smk"
include: "rules/catalog.smk"
include: "rules/training.smk"
include: "rules/representations.smk"
include: "rules/predictions.smk"
include: "rules/rings.smk"
include: "rules/baselines.smk"
include: "rules/evaluation.smk"
include: "rules/remote.smk"


rule all:
    """Every result of the survey."""
    default_target: True
    input:
        "results/report.html",
        f"results/predictions/{settings.run_name}_vote_fractions.parquet",
        f"results/rings/{settings.run_name}_rings.parquet",
        f"{PCA}.parquet",
        f"results/representations/{settings.run_name}_cnn_features.parquet",


onsuccess:
    headline = Path("results/headline.txt")
    if headline.is_file():
        print(headline.read_text())


onstart:
    read_first_words_of_states()
    # With --nolock another may run in this folder, and these be its jobs.
    if workflow.execution_settings.lock and is_alone(running):
        cancelled = cancel_stale_jobs(Path(".snakemake"))
        if cancelled:
            logger.info(f"Cancelled jobs of an earlier run: {' '.join(cancelled)}")
