"""What the endpoints of the tests work on."""

from uuid import uuid4

from django.db import models

from django_integration.declarative import resource_task


class Order(models.Model):
    customer = models.CharField(max_length=50)
    status = models.CharField(max_length=50, default="new")

    def __str__(self):
        return self.customer

    @resource_task
    def mark(self, status, times=1):
        self.status = status * times
        self.save()

    @resource_task(retries=2, retry_exception_filter=(OSError,))
    def flaky(self):
        raise OSError("busy")

    def delete_everything(self):
        Order.objects.all().delete()


class HeavyParcels(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(weight__gt=1_000)


class Parcel(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4)
    weight = models.IntegerField(default=0)

    heavy = HeavyParcels()
    objects = models.Manager()

    def __str__(self):
        return str(self.weight)
