{{/* What values.schema.json cannot say: which values need which others. */}}

{{- define "onsale.check" -}}
{{- if gt (len .Release.Name) 40 }}{{ fail "the release's name is longer than 40 characters: names made of it would be too long" }}{{ end -}}
{{- if not (or .Values.kafka.brokers .Values.strimzi.enabled) }}{{ fail "kafka.brokers: must be given (HOST:PORT,...), or strimzi.enabled" }}{{ end -}}
{{- if and .Values.kafka.secretProperties (not .Values.kafka.existingSecret) }}{{ fail "kafka.existingSecret: must be given: the Secret that kafka.secretProperties are keys of" }}{{ end -}}
{{- with .Values.kafka.users }}{{ if and .prefix (or .cluster $.Values.strimzi.enabled) }}{{ fail "kafka.users.prefix: is of users that are there already; the chart calls those that it makes by the release's name" }}{{ end }}{{ end -}}
{{- if not (or .Values.registry.url .Values.registry.existingSecret) }}{{ fail "registry.url: must be given: the base of the schema registry's Confluent API, or registry.existingSecret" }}{{ end -}}
{{- if not .Values.trustedProxies }}{{ fail "trustedProxies: must be given: the blocks of the edge's pods and ours, such as 10.42.0.0/16; whoever else sends from there can call himself anybody" }}{{ end -}}
{{- range $name, $c := include "onsale.components" . | fromYaml -}}
{{- if and $c.secretSettings (not $c.existingSecret) }}{{ fail (printf "components.%s.existingSecret: must be given: a Secret with %s" $name (include "onsale.keysWanted" (dict "root" $ "c" $c))) }}{{ end -}}
{{- if and (has "sessionKeys" $c.needs) (not $.Values.sessions.existingSecret) }}{{ fail "sessions.existingSecret: must be given: a Secret with the PEM files that sessions.keys names" }}{{ end -}}
{{- if and (has "codeKeys" $c.needs) (not $.Values.codes.existingSecret) }}{{ fail "codes.existingSecret: must be given: a Secret with the PEM files that codes.keys names" }}{{ end -}}
{{- if and (has "queueKeys" $c.needs) (not $.Values.queues.existingSecret) }}{{ fail "queues.existingSecret: must be given: a Secret with the files that queues.keys and queues.seedKeys name" }}{{ end -}}
{{- if and (has "linkKeys" $c.needs) (not $.Values.letters.existingSecret) }}{{ fail "letters.existingSecret: must be given: a Secret with the files that letters.keys names" }}{{ end -}}
{{- if has "smtp" $c.needs -}}
{{- range list "smtp" "from" }}{{ if not (get $.Values.letters .) }}{{ fail (printf "letters.%s: must be given" .) }}{{ end }}{{ end -}}
{{- end -}}
{{- if gt (int $c.autoscaling.minReplicas) (int $c.autoscaling.maxReplicas) }}{{ fail (printf "components.%s.autoscaling: minReplicas is more than maxReplicas" $name) }}{{ end -}}
{{- end -}}
{{- if .Values.edge.enabled -}}
{{- if not .Values.edge.host }}{{ fail "edge.host: must be given: the site's name, such as onsale.example" }}{{ end -}}
{{- if not (or .Values.edge.gateway.create .Values.edge.gateway.existing.name) }}{{ fail "edge.gateway.existing.name: must be given when edge.gateway.create is false" }}{{ end -}}
{{- end -}}
{{- if not (or .Values.letters.site .Values.edge.host) }}{{ fail "letters.site: must be given where edge.host is not: https://HOST, where the links of letters lead" }}{{ end -}}
{{- if .Values.networkPolicy.enabled -}}
{{- $named := dict "kafka" .Values.strimzi.enabled "postgres" .Values.cnpg.enabled "warehouse" (not .Values.connect.enabled) "lake" (not (and .Values.connect.enabled .Values.connect.lake.location)) -}}
{{- range list "dns" "kafka" "registry" "postgres" "warehouse" "lake" "internet" "smtp" -}}
{{- if not (or (get $.Values.networkPolicy .).to (get $named .)) }}{{ fail (printf "networkPolicy.%s.to: must be given: where it is, as peers of a NetworkPolicy ({ipBlock: {cidr: 0.0.0.0/0}} is anywhere)" .) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if .Values.connect.enabled -}}
{{- range list "image" "registryUrl" "existingSecret" }}{{ if not (get $.Values.connect .) }}{{ fail (printf "connect.%s: must be given when connect.enabled" .) }}{{ end }}{{ end -}}
{{- if .Values.connect.lake.location -}}
{{- range list "region" "existingSecret" "image" }}{{ if not (get $.Values.connect.lake .) }}{{ fail (printf "connect.lake.%s: must be given with connect.lake.location" .) }}{{ end }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "onsale.keysWanted" -}}
{{- $keys := .c.secretSettings -}}
{{- if and .root.Values.cnpg.enabled (has "DATABASE_URL" $keys) -}}{{- $keys = concat (list "username" "password") (without $keys "DATABASE_URL") -}}{{- end -}}
{{- join ", " $keys -}}
{{- end }}
