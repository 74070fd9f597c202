"""The models, and those that stay: the rules that make them have nothing to make."""

import re

from snakemake.logging import logger

from rules.recipes import NOTHING, kept_models, pca_path, recipes_of

MEMBERS = range(settings.n_models)
PCA = pca_path(settings)
RECIPES = recipes_of(settings)
KEPT = NOTHING  # A job on a cluster makes what the run that sent it decided.
if workflow.is_main_process and not settings.retrain_on_new_data:
    KEPT = kept_models(settings, RECIPES)
if KEPT != NOTHING:
    logger.info(f"{KEPT}; retrain_on_new_data: true makes them anew for new data.")

# A wildcard for which there is nothing: its rule makes no file.
NONE = "(?!)"
MEMBERS_TO_TRAIN = "|".join(str(m) for m in MEMBERS if m not in KEPT.train) or NONE
PCAS_TO_FIT = NONE if KEPT.fit_pca else "[0-9]+"
RINGS_TO_FINETUNE = NONE if KEPT.finetune_rings else re.escape(settings.run_name)
