"""The shipped model: training, comparison, files, card."""
