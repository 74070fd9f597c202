from functools import partial

from rules.missing_files import check_missing_files

# A job on a cluster may see files that came since; it makes none of them.
FILES_TO_FETCH = remote_files.one_of(REMOTES, all_of_them=not workflow.is_main_process)


localrules:
    fetch_file,


rule fetch_file:
    """Fetch a table or archive once, where the network is: it runs with the workflow."""
    input:
        remote_files.from_storage(REMOTES, storage=storage, ancient=ancient),
    output:
        "results/fetched/{name}",
    log:
        "results/logs/fetch_file_{name}.log",
    benchmark:
        "results/benchmarks/fetch_file_{name}.tsv"
    wildcard_constraints:
        name=FILES_TO_FETCH,
    conda:
        "../envs/zoobot.yaml"
    params:
        code=code_digest("fetch_file"),
    shell:
        "python -m workflow_scripts.fetch_file "
        "--source {input:q} --file {output:q} > {log:q} 2>&1"


rule unpack_images:
    """Unpack the images of all archives into one folder."""
    input:
        in_data_folder(settings.unpack_images.archives),
    output:
        directory("results/images"),
    log:
        "results/logs/unpack_images.log",
    benchmark:
        "results/benchmarks/unpack_images.tsv"
    conda:
        "../envs/zoobot.yaml"
    params:
        settings=option_string(settings.unpack_images),
        data_folder=settings.data_folder,
        code=code_digest("unpack_images"),
    shell:
        "python -m workflow_scripts.unpack_images "
        "--data-folder {params.data_folder:q} --images-folder {output} "
        "{params.settings} > {log} 2>&1"


if workflow.is_main_process:
    readers = (rules.prepare_catalog, rules.prepare_ring_catalog, rules.unpack_images)
    try:
        check_missing_files(
            settings,
            REMOTES,
            readers={reader.rule.name: reader for reader in readers},
            check_stored=partial(remote_files.find_stored, storage=storage),
        )
    except ValueError as error:
        raise WorkflowError(str(error)) from None
