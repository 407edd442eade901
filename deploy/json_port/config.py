"""Envoy's configuration for the JSON port: a template, and in it a route for each RPC that is served."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.gateway.transcode.routes import Route

TEMPLATE = Path(__file__).with_name("envoy.yaml.template")
# As the gateway's: past this an answer is late for anybody, even one that was waited for.
TIMEOUT_S = 60
_ROUTE = """\
                        - match:
                            safe_regex: {{regex: "{path}"}}
                            headers: [{{name: ":method", string_match: {{exact: {method}}}}}]
                          route: {{cluster: {stage}, timeout: {timeout_s}s}}"""
_CLUSTER = """\
    - name: {stage}
      # Every pod of the stage, each in turn.
      type: STRICT_DNS
      connect_timeout: 2s
      lb_policy: LEAST_REQUEST
      load_assignment:
        cluster_name: {stage}
        endpoints:
          - lb_endpoints:
              - endpoint: {{address: {{socket_address: {{address: ${{{name}_HOST}}, port_value: ${{{name}_PORT}}}}}}}}
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          # A stage's error comes in its headers, with every row of it.
          common_http_protocol_options: {{max_response_headers_kb: 256}}
          explicit_http_config:
            http2_protocol_options: {{connection_keepalive: {{interval: 30s, timeout: 10s}}}}"""


def render(routes: Sequence[Route], stages: Mapping[str, str]) -> str:
    """The whole configuration. stages: who serves each service, by its full name."""
    used = [service for service in stages if any(route.service == service for route in routes)]
    parts = {
        "@SERVICES@": ", ".join(used),
        "@ROUTES@": "\n".join(_route(route, stages[route.service]) for route in routes),
        "@CLUSTERS@": "\n".join(_CLUSTER.format(stage=stages[it], name=stages[it].upper()) for it in used),
    }
    text = TEMPLATE.read_text()
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def _route(route: Route, stage: str) -> str:
    path = re.sub(r"\{[a-z_]+\}", "[^/]+", route.template)
    return _ROUTE.format(path=path, method=route.method, stage=stage, timeout_s=TIMEOUT_S)
