#!/usr/bin/env bash
# Ends jobs of task-spooler.
for job in "$@"; do
    tsp -r "$job" || tsp -k "$job"
done
