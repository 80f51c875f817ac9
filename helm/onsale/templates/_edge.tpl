{{/* What Gateway API does not know: Envoy Gateway's own resources. */}}

{{- define "onsale.edgePolicies" }}
{{- range $name, $c := include "onsale.components" . | fromYaml }}
{{- $pages := has "/" ($c.paths | default list) }}
{{- range $large := list false true }}
{{- if $large | ternary $c.uploads $c.paths }}
{{- $route := $large | ternary (printf "%s-uploads" $name) $name }}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: BackendTrafficPolicy
metadata:
  {{- include "onsale.metadata" (dict "root" $ "name" $route) | nindent 2 }}
spec:
  targetRefs:
    - group: gateway.networking.k8s.io
      kind: HTTPRoute
      name: {{ $.Release.Name }}-{{ $route }}
  # Only what a process cannot have begun to do: its pod is going, or gone.
  retry:
    numRetries: 5
    retryOn:
      triggers: [connect-failure, refused-stream, reset-before-request]
    perRetry:
      backOff: { baseInterval: 50ms, maxInterval: 500ms }
  # A pod that is not there any more seems to be the one with least to do: it is left out after two requests that were not answered. Answers of 5xx do not
  # count here; among five pods and more Envoy also leaves out those that give many more of them than the others.
  healthCheck:
    passive:
      splitExternalLocalOriginErrors: true
      consecutiveLocalOriginFailures: 2
      consecutiveGatewayErrors: 0
      consecutive5XxErrors: 0
      interval: 1s
      baseEjectionTime: 5s
      maxEjectionPercent: 50
  timeout:
    tcp:
      connectTimeout: 2s
  {{- $most := int64 ($pages | ternary $.Values.edge.breakers.streams $.Values.edge.breakers.requests) }}
  # A service that hangs takes no more of the edge than this. More connections than requests: who finds none waits, and is not answered.
  circuitBreaker:
    maxConnections: {{ add $most (int64 $.Values.edge.breakers.requests) }}
    maxParallelRequests: {{ $most }}
    maxPendingRequests: {{ int64 $.Values.edge.breakers.requests }}
  {{- if not $pages }}
  # As much as the services take themselves.
  requestBuffer:
    limit: {{ $large | ternary "10304Ki" "64Ki" }}
  {{- end }}
  {{- with include "onsale.limits" (dict "name" $name "limits" $.Values.edge.limits) | trim }}
  rateLimit:
    local:
      rules:
        {{- . | nindent 8 }}
  {{- end }}
  # The edge's own errors alone; those of the services stay as they are.
  responseOverride:
    {{- range $status, $message := include "onsale.edgeErrors" $ | fromYaml }}
    - source: Local
      match:
        statusCodes:
          - type: Value
            value: {{ $status }}
      response:
        {{- with get (dict "429" "60" "503" "1") $status }}
        header:
          set: [{ name: Retry-After, value: {{ . | quote }} }]
        {{- end }}
        {{- if $pages }}
        contentType: text/html; charset=utf-8
        body:
          type: ValueRef
          valueRef: { group: "", kind: ConfigMap, name: {{ $.Release.Name }}-edge }
        {{- else }}
        contentType: application/json
        body:
          type: Inline
          inline: {{ dict "errors" (list (dict "message" $message)) | toJson | squote }}
        {{- end }}
    {{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.edge.gateway.create }}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata:
  {{- include "onsale.metadata" (dict "root" . "name" "edge") | nindent 2 }}
spec:
  targetRefs:
    - group: gateway.networking.k8s.io
      kind: Gateway
      name: {{ .Release.Name }}-edge
  {{- with .Values.edge.trustedHops }}
  clientIPDetection:
    xForwardedFor:
      numTrustedHops: {{ . }}
  {{- end }}
  connection:
    connectionLimit:
      value: {{ int64 .Values.edge.breakers.connections }}
  timeout:
    http:
      # Who sends a request byte by byte keeps nobody waiting.
      requestReceivedTimeout: 30s
  http2:
    maxConcurrentStreams: 100
{{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "onsale.metadata" (dict "root" . "name" "edge") | nindent 2 }}
data:
  response.body: |
    {{- .Files.Get "files/error.html" | nindent 4 }}
---
# Paths of APIs that no service has: JSON, too.
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: HTTPRouteFilter
metadata:
  {{- include "onsale.metadata" (dict "root" . "name" "not-found") | nindent 2 }}
spec:
  directResponse:
    statusCode: 404
    contentType: application/json
    body:
      type: Inline
      inline: '{"errors":[{"message":"Not found"}]}'
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  {{- include "onsale.metadata" (dict "root" . "name" "not-found") | nindent 2 }}
spec:
  {{- include "onsale.routeHead" . | nindent 2 }}
  rules:
    # By prefix, which comes behind the services' expressions.
    - matches:
        - path: { type: PathPrefix, value: /api }
        - path: { type: PathPrefix, value: /.well-known }
      filters:
        - type: ExtensionRef
          extensionRef:
            group: gateway.envoyproxy.io
            kind: HTTPRouteFilter
            name: {{ .Release.Name }}-not-found
{{- end }}

{{- define "onsale.edgeErrors" -}}
"408": The request took too long to arrive
"413": The request body is too large
"429": Too many requests, try again later
"502": This part of Onsale is not running right now; try again in a moment
"503": This part of Onsale is not running right now; try again in a moment
"504": This part of Onsale takes too long to answer; try again in a moment
{{- end }}

{{/* The rules for a component: its own, then what of the APIs is granted to any client in all. Pages' forms have those of their APIs. */}}
{{- define "onsale.limits" -}}
{{- $own := dict "auth" (list (list "/api/users/signin" .limits.signIn) (list "/api/users/signup" .limits.signUp))
                 "orders" (list (list "/api/orders" .limits.orders) (list "/api/purchases" .limits.orders))
                 "web" (list (list "/signin" .limits.signIn) (list "/signup" .limits.signUp)
                             (list "/tickets/[^/]+/buy" .limits.orders) (list "/shows/[^/]+/buy" .limits.orders)
                             (list "/shows/[^/]+/areas/[^/]+" .limits.orders)) -}}
{{- range get $own .name | default list }}
{{- /* Envoy matches the path as it came, with what is behind its question mark. */}}
{{- $path := printf "(?i)%s/?([?].*)?" (index . 0) }}
{{- $limit := index . 1 }}
{{- range list "0.0.0.0/0" "::/0" }}
- clientSelectors:
    - sourceCIDR: { type: Distinct, value: "{{ . }}" }
      methods: [{ value: POST }]
      path: { type: RegularExpression, value: "{{ $path }}" }
  limit: { requests: {{ int64 $limit }}, unit: Minute }
{{- end }}
{{- end }}
{{- if ne .name "web" }}
{{- range list "0.0.0.0/0" "::/0" }}
- clientSelectors:
    - sourceCIDR: { type: Distinct, value: "{{ . }}" }
  limit: { requests: {{ int64 $.limits.other }}, unit: Minute }
{{- end }}
{{- end }}
{{- end }}
