"""The view that Django REST framework's classes look at: what its own viewset of jobs would be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import Http404
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.viewsets import GenericViewSet

from django_integration.models import Job
from django_integration.web.http.job_id import job_id
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest

    from django_integration.web.auth.actions import Action
    from serverless_tasks.engine.job.record import Record


class RequestView(GenericViewSet):  # type: ignore[misc]
    """A view for the classes to inspect: ``action``, ``kwargs``, ``detail``, ``basename``, ``queryset`` and the rest.

    It answers nothing. Its query set is an empty one, without a table, that knows its model.

    Args:
        request: the request.
        action: what is asked for.
        authentication: the authentication classes.
        permissions: the permission classes.
        throttles: the throttle classes.
        needs_login: whether callers are refused whom no authentication class knows.
    """

    queryset = Job.objects.none()
    lookup_field = "uuid"
    basename = "taskinfo"  # as in Django Task API
    name = description = suffix = None
    versioning_class = None

    def __init__(
        self,
        request: HttpRequest,
        action: Action,
        *,
        authentication: Sequence[Any],
        permissions: Sequence[Any],
        throttles: Sequence[Any],
        needs_login: bool = False,
    ) -> None:
        super().__init__(
            authentication_classes=authentication,
            permission_classes=permissions,
            throttle_classes=throttles,
        )
        match = request.resolver_match
        self.args = match.args if match else ()
        self.kwargs = dict(match.kwargs) if match else {}
        self.detail = self.lookup_field in self.kwargs
        self.headers: dict[str, str] = {}
        self.needs_login = needs_login
        self.throttle_scope = _scope(action)
        self.action_map = {(request.method or "").lower(): action.value}
        self.request: Any = request
        self.request = self.initialize_request(request, *self.args, **self.kwargs)

    def perform_content_negotiation(self, request: Any, force: bool = False) -> Any:
        """See `APIView.perform_content_negotiation`; refuses nobody, since the answer is not made here."""
        return super().perform_content_negotiation(request, force=True)

    def check_permissions(self, request: Any) -> None:
        """See `APIView.check_permissions`."""
        super().check_permissions(request)
        if self.needs_login and not getattr(request.user, "is_authenticated", False):
            self.permission_denied(request)

    def get_object(self) -> Record:
        """See `GenericAPIView.get_object`; the record, read anew."""
        try:
            record = current_services().store.read(job_id(self.kwargs[self.lookup_field]))
        except TaskNotFound as error:
            raise Http404(str(error)) from None
        if record is None:
            raise Http404
        self.check_object_permissions(self.request, record)
        return record


def _scope(action: Action) -> str | None:
    """Return the scope of `ScopedRateThrottle`: one that the site gave a rate, or None."""
    rates = SimpleRateThrottle.THROTTLE_RATES or {}
    return next((scope for scope in (f"tasks-{action}", "tasks") if scope in rates), None)
