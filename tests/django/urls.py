from django.urls import include, path

urlpatterns = [
    path("tasks/", include("django_integration.urls")),
    path("deep/er/work/", include("django_integration.urls", namespace="again")),
]
