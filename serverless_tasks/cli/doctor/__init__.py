"""The command `doctor`: looks at a project, an environment and a stack, and says what is wrong, with the cure."""

from serverless_tasks.cli.doctor.examination import examine
from serverless_tasks.cli.doctor.page import as_document, picture

__all__ = ["as_document", "examine", "picture"]
