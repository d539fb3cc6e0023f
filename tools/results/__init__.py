"""``python -m tools.results``: the trainings of docs/results.md, run and measured."""
