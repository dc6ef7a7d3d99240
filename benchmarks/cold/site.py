"""A Django site in Lambda (admin, Django REST framework, boto3) up to its first answer, which makes the two writes."""

import os

from benchmarks.cold.told import tell
from benchmarks.context import CONTEXT

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.cold.site_settings"

from django.core.asgi import get_asgi_application
from mangum import Mangum

handler = Mangum(get_asgi_application(), lifespan="off")

EVENT = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/run/",
    "rawQueryString": "",
    "headers": {"host": "localhost", "accept": "application/json"},
    "requestContext": {
        "accountId": "123456789012",
        "domainName": "localhost",
        "http": {
            "method": "GET",
            "path": "/run/",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "curl",
        },
        "requestId": "0",
        "stage": "$default",
    },
    "isBase64Encoded": False,
}

if __name__ == "__main__":
    answer = handler(EVENT, CONTEXT)
    assert answer["statusCode"] == 200, answer
    tell()
