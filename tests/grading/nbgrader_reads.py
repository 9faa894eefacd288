"""Run by an interpreter that has nbgrader: nbgrader_reads.py GRADEBOOK, which is made when it is not there.

What nbgrader makes of it, as JSON: (student, assignment, notebook, cell) → score, and the columns of its tables.
"""

import json
import sys

from nbgrader.api import Gradebook
from sqlalchemy import inspect

with Gradebook(f"sqlite:///{sys.argv[1]}") as gradebook:
    inspector = inspect(gradebook.engine)
    scores = {
        "/".join((submission.student.id, submission.assignment.name, notebook.name, grade.name)): [
            grade.score,
            grade.max_score,
            grade.needs_manual_grade,
        ]
        for assignment in gradebook.assignments
        for submission in gradebook.assignment_submissions(assignment.name)
        for notebook in submission.notebooks
        for grade in notebook.grades
    }
    totals = {student["id"]: [student["score"], student["max_score"]] for student in gradebook.student_dicts()}
    columns = {
        table: {
            column["name"]: [str(column["type"]), column["nullable"], bool(column["primary_key"])]
            for column in inspector.get_columns(table)
        }
        for table in inspector.get_table_names()
    }
    unique = {
        table: sorted(sorted(each["column_names"]) for each in inspector.get_unique_constraints(table))
        for table in inspector.get_table_names()
    }
    times = {
        f"{submission.student.id}/{assignment.name}": submission.timestamp.isoformat()
        for assignment in gradebook.assignments
        for submission in gradebook.assignment_submissions(assignment.name)
    }
json.dump({"scores": scores, "totals": totals, "columns": columns, "unique": unique, "times": times}, sys.stdout)
