"""A source of live answers that says what a test has told it; the setting ANSWER_SOURCE names it."""

from feedback.ports import Offer, Piece


class ScriptedSource:
    """`answers` holds a text, a list of pieces, or an error by key; `asked` what each source was asked."""

    answers: dict = {}
    asked: list = []

    def offers(self, *, project):
        return [Offer(key, f"Policy {key}") for key in self.answers]

    def max_new_tokens(self, *, project):
        return 32

    def stream(self, *, project, key, messages, decoding):
        self.asked.append((key, messages, decoding))
        return self._pieces(self.answers[key])

    def _pieces(self, answer):
        if isinstance(answer, Exception):
            raise answer
        pieces = [answer] if isinstance(answer, str) else answer
        for text in pieces[:-1]:
            yield Piece(text)
        yield Piece(pieces[-1], "stop")
