#!/usr/bin/env bash
# How a job of task-spooler is, in the words of the workflow.
case $(tsp -s "$1") in
finished) tsp -i "$1" | grep -q "exit code 0" && echo success || echo failed ;;
queued | running) echo running ;;
*) echo failed ;;
esac
