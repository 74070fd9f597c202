"""Typed, strict settings: one section of config.yaml for each stage.

A section has the name of its rule and of its script; `zoobot.configuration` puts them
together. Each module holds those of some stages, so that an edit reruns these alone.
"""
