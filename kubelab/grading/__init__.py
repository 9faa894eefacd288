"""Results, evidence, and the learner's book."""

from __future__ import annotations

from kubelab.grading.book import Book, BookError
from kubelab.grading.results import Evidence, Outcome, Result

__all__ = ["Book", "BookError", "Evidence", "Outcome", "Result"]
