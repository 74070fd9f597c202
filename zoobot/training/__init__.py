"""Losses, training and finetuning."""
