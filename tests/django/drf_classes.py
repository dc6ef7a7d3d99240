"""Permission and throttle classes of a site, as Django REST framework's documentation has them."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import Http404
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.permissions import (
    BasePermission,
    DjangoModelPermissions,
    DjangoObjectPermissions,
    IsAuthenticated,
)
from rest_framework.throttling import ScopedRateThrottle, SimpleRateThrottle, UserRateThrottle

from serverless_tasks.engine.job.record import Record


class Refuses(BasePermission):
    """Lets everybody call, and nobody at a job."""

    message = "This job is not for you."

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return False


class OwnRunning(BasePermission):
    """Decides by the record."""

    seen: ClassVar[list[Record]] = []

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        self.seen.append(obj)
        return bool(obj.owner == str(request.user.pk) and not obj.ended)


class Hides(BasePermission):
    """Answers as if there were no such job, as Django REST framework's own object permissions do."""

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        raise Http404


class GroupsAlone(BasePermission):
    """Keeps the members of groups to itself."""

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return obj.group is None


class OnlyWhoCanRead(BasePermission):
    """Looks at the job before it is asked about it."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return not view.detail or view.get_object().task == "sum"


class Looks(BasePermission):
    """Notes what it sees of the view."""

    seen: ClassVar[list[tuple[str, dict[str, str], bool]]] = []

    def has_permission(self, request: Any, view: Any) -> bool:
        assert view.basename == "taskinfo"
        assert view.queryset.model is view.get_queryset().model
        assert not view.get_queryset().filter(uuid=UUID(int=0)).exists()
        assert view.request is request
        assert view.format_kwarg is None
        assert request.version is None
        assert request.accepted_renderer is not None
        assert request.parser_context["kwargs"] == view.kwargs
        assert view.action_map == {request.method.lower(): view.action}
        self.seen.append((view.action, dict(view.kwargs), view.detail))
        return True


class Payment(BasePermission):
    """Answers with an exception of its own."""

    def has_permission(self, request: Any, view: Any) -> bool:
        error = APIException({"detail": "Pay first.", "price": 5})
        error.status_code = 402
        raise error


class Listed(BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        raise ValidationError(["One.", "Two."])


class OwnModelPermissions(DjangoModelPermissions):
    """Names a permission that users have."""

    perms_map: ClassVar[dict[str, list[str]]] = {
        **DjangoModelPermissions.perms_map,
        "POST": ["%(app_label)s.change_%(model_name)s"],
    }


class ObjectPermissionsAlone(DjangoObjectPermissions):
    def has_permission(self, request: Any, view: Any) -> bool:
        return True


Composed = IsAuthenticated & ~Refuses
ComposedModel = IsAuthenticated | DjangoModelPermissions


class TwoAMinute(UserRateThrottle):
    rate = "2/min"


class Never(SimpleRateThrottle):
    """Lets nobody call, and notes what it sees."""

    rate = "0/min"
    seen: ClassVar[list[tuple[str, str | None]]] = []

    def get_cache_key(self, request: Any, view: Any) -> str:
        assert request.auth is None or request.auth  # asking for it must not lose the user
        self.seen.append((view.action, getattr(request.user, "username", None)))
        return "never"


class WithoutRate(SimpleRateThrottle):
    scope = "nowhere"


class Scoped(ScopedRateThrottle):
    pass
