#!/usr/bin/env bash
# How a PBS job is, in the words of the workflow: running, success or failed.
set -uo pipefail

# -x: finished jobs, too, where PBS has a history; Torque shows them without.
if ! job=$(qstat -x -f "$1" 2>&1) && ! job=$(qstat -f "$1" 2>&1); then
    case $job in
    *[Uu]nknown*) echo failed ;; # Forgotten, so that nobody knows: it is tried again.
    *) echo running ;;           # The server does not answer, which says nothing.
    esac
    exit
fi
state=$(sed -n 's/^ *job_state = *//p' <<< "$job")
code=$(sed -n 's/^ *[Ee]xit_status = *//p' <<< "$job")
case $state in
F | C) [ "$code" = 0 ] && echo success || echo failed ;;
*) echo running ;;
esac
