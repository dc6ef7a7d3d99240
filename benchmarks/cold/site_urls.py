"""The site's URLs: its admin, and a view that makes the two writes of a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
from django.contrib import admin
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.bare_writes import begin, end

if TYPE_CHECKING:
    from rest_framework.request import Request

client = boto3.client("dynamodb")
JOB = "00000000-0000-0000-0000-000000000000"


class Run(APIView):  # type: ignore[misc]
    """Runs a task in a request."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> Response:
        """Make both writes."""
        begin(client, JOB)
        end(client, JOB)
        return Response({"uuid": JOB})


urlpatterns = [path("admin/", admin.site.urls), path("run/", Run.as_view())]
