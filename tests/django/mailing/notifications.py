"""The example of django-generic-tasks: only the import of ``Task`` is another."""

from django.core.mail import send_mail
from pydantic import BaseModel

import serverless_tasks as tasks


class EmailNotificationParams(BaseModel):
    subject: str
    content: str
    recipients: list[str]


class EmailNotificationTask(tasks.Task[EmailNotificationParams]):
    def run(self):
        send_mail(
            subject=self.params.subject,
            message=self.params.content,
            from_email=None,
            recipient_list=self.params.recipients,
        )
