"""Tells the Envoy of this pod that it is about to go: from now on it asks callers to close, after each answer."""

import http.client
import os

administration = http.client.HTTPConnection("127.0.0.1", int(os.environ["ENVOY_ADMIN_PORT"]), timeout=5)
administration.request("POST", "/healthcheck/fail")
if (status := administration.getresponse().status) != 200:
    raise SystemExit(f"Envoy says {status}")
