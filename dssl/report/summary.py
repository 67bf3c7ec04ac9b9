"""In short: the questions of a reader, each answered in a few sentences that are made from the numbers."""

from collections.abc import Sequence

from dssl.report.content import Answers, Section
from dssl.report.page import SUMMARY


def summary_section(
    screened: Sequence[str],
    quality: Sequence[str],
    retrieval: Sequence[str],
    shared: Sequence[str],
    mechanisms: Sequence[str],
    first: Sequence[str],
    limits: Sequence[str],
) -> Section:
    """The answers in the order of the sections that show more; a question without an answer says so."""
    unknown = ("These results do not say.",)
    asked = [
        ("What was screened?", screened, "screened"),
        ("Is the data good?", quality, "data"),
        ("Do molecule and phenotype find each other?", retrieval, "retrieval"),
        ("What is shared, what is specific?", shared, "knowledge"),
        ("Which mechanisms are found?", mechanisms, "mechanisms"),
        ("Which compounds should be looked at first?", first, "first"),
        ("What should not be concluded?", limits, "limits"),
    ]
    answers = [(question, list(answer or unknown), address) for question, answer, address in asked]
    return Section(SUMMARY, "In short", [], [Answers(answers)])
