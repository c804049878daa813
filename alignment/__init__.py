"""Rounds, runs, model versions, gates and deployments: from people's judgments to a deployed policy.

It reads feedback through its selectors, writes through its services, and of modeling it imports `modeling.spec` alone.
"""
