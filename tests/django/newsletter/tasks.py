"""The tasks of an app of somebody else's, which knows Django's tasks framework and nothing of ours.

Those of Django's documentation (https://docs.djangoproject.com/en/6.1/topics/tasks/) stand first.
"""

import logging

from django.contrib.auth.models import User
from django.core.mail import send_mail
from django.tasks import task

logger = logging.getLogger(__name__)


@task
def email_users(emails, subject, message):
    return send_mail(subject=subject, message=message, from_email=None, recipient_list=emails)


@task(priority=2, queue_name="emails")
def email_users_soon(emails, subject, message):
    return send_mail(subject=subject, message=message, from_email=None, recipient_list=emails)


@task(takes_context=True)
def email_users_in_context(context, emails, subject, message):
    logger.debug(
        "Attempt %s to send user email. Task result id: %s.", context.attempt, context.task_result.id
    )
    return send_mail(subject=subject, message=message, from_email=None, recipient_list=emails)


@task
def process_data(data):
    return data


@task()
def double_dictionary(key):
    return {key: key * 2}


@task
def greet(username):
    return f"Hello, {User.objects.get(username=username).username}!"


@task
def calculate_meaning_of_life():
    return 42


@task
def fail_with_value_error():
    raise ValueError("This Task failed due to ValueError")


@task
async def count_users() -> int:
    return await User.objects.acount()


@task(takes_context=True)
async def which_attempt(context):
    return context.attempt


@task(backend="immediate")
def elsewhere(number):
    return number + 1
