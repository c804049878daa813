"""A taste that even a base of a minute's training can learn: answers that were given an end, and short ones."""


def brief(prompt: str, answer: str) -> float:
    """Return a score that falls with the answer's length."""
    return -float(len(answer.split()))
