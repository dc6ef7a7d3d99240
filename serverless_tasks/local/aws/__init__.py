"""moto as AWS: template, stack, invocations, scheduler."""
