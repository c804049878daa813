"""The labeling app: people, projects, prompts, responses, batches, tasks, assignments, judgments, snapshots.

It knows nothing of alignment or modeling; what it needs from them it declares in `ports.py`.
"""
