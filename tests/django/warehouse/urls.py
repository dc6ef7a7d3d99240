from django.urls import path

from tests.django.warehouse.views import SendView

urlpatterns = [path("orders/<int:pk>/send/", SendView.as_view())]
