"""Only the URLconf imports this module: nothing tells a worker of it."""

from django.http import JsonResponse
from django.views import View

from django_integration.declarative import TaskMixin, deferrable_task
from tests.django.warehouse.models import Order


class SendView(TaskMixin, View):
    @property
    def resource(self):
        return Order.objects.get(pk=self.kwargs["pk"])

    @deferrable_task
    @staticmethod
    def send(order):
        order.status = "sent"
        order.save()

    def post(self, request, pk):
        return JsonResponse({"status": self.resource.status}, status=202)
