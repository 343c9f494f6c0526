import json

from django.conf import settings
from django.http import HttpResponse
from django.urls import path

MANIFEST = json.loads((settings.STATIC_ROOT / "manifest.json").read_text())


def page(_request):
    script = MANIFEST["frontend/main.js"]["file"]
    return HttpResponse(f"Hello from Django with /static/{script}", content_type="text/plain")


urlpatterns = [path("", page)]
