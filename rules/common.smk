"""What the rules share: checked settings, and the files whose number the data decides."""

import shlex
from pathlib import Path

from rules import remote_files
from rules.cancelled_jobs import read_first_words_of_states
from rules.code_digest import code_digest
from rules.stale_jobs import cancel_stale_jobs
from rules.stale_locks import is_alone, remove_stale_locks
from zoobot.command_line import option_string
from zoobot.configuration import read_settings

try:
    settings, REMOTES = remote_files.with_local_copies(read_settings(config))
    remote_files.check_storage(workflow.storage_settings.default_storage_provider)
except ValueError as error:
    raise WorkflowError(str(error)) from None


def in_shell(path):
    """A path as a word of a command; braces are doubled, as commands are formatted."""
    return shlex.quote(str(path)).replace("{", "{{").replace("}", "}}")


# Jobs run this checkout's library and, unless each has its own software (--sdm), the
# interpreter that runs this. Arrow's own pool would keep the memory that it is done with.
# A job ends with the process that started it, $PPID, however that ends.
prefix = (
    f"export PYTHONPATH={in_shell(workflow.basedir)} ARROW_DEFAULT_MEMORY_POOL=system "
)
prefix += "ZOOBOT_ENDS_WITH=$PPID; "
if not workflow.deployment_settings.deployment_method:
    prefix += f"export PATH={in_shell(Path(sys.executable).parent)}:$PATH; "
shell.prefix(prefix)

if workflow.is_main_process:
    running = remove_stale_locks(Path(".snakemake"))


def in_data_folder(paths):
    """Paths of the settings as the rules see them."""
    for path in (workflow.basedir, settings.data_folder, *paths):
        if set("{}") & set(path):
            raise WorkflowError(
                f"{path}: found braces, which rules take for wildcards; expected a path "
                "without (a link to the file or folder will do)"
            )
    return remote_files.local_paths(paths, data_folder=settings.data_folder)


def schema_file(name=settings.schema_name):
    """The YAML file of a user's own decision tree, whose edits must rerun; else nothing."""
    return [name] if name.endswith((".yaml", ".yml")) else []


def pieces_in(folder, kind):
    """Names of the shards or chunks of a kind, in the order of the catalogue."""
    names = Path(folder, "order.txt").read_text().split()
    return [name for name in names if name.startswith(f"{kind}_")]


def of_shards(path, split):
    """An input function: a path for each shard of a split, once split_catalog has run."""

    def of_split(wildcards):
        names = pieces_in(checkpoints.split_catalog.get().output.shards, split)
        shards = [name.removeprefix(f"{split}_") for name in names]
        size = settings.write_shards.image_size_px
        return expand(path, split=split, size=size, shard=shards)

    return of_split


def of_chunks(paths, kinds=("labelled", "unlabelled")):
    """An input function: paths for each chunk, once the catalogue is split and cut.

    What waits for one of both counts as changed, and so does what is made of it.
    """

    def of_kinds(wildcards):
        folder = checkpoints.chunk_catalog.get().output.chunks
        checkpoints.split_catalog.get()
        chunks = [name for kind in kinds for name in pieces_in(folder, kind)]
        found = expand(paths, run_name=settings.run_name, pca=PCA, chunk=chunks)
        return list(dict.fromkeys(found))

    return of_kinds


wildcard_constraints:
    chunk=r"(?:labelled|unlabelled)_[0-9a-f]{12}",
    shard=r"[0-9a-f]{12}",
    member=r"[0-9]+",
    n_components=r"[0-9]+",
    size=r"[0-9]+",
    split="train|val|test",
    run_name=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
