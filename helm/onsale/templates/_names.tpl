{{/* Names and labels. A resource's name is the release's name and a suffix; no suffix begins with another one and a dash, so that
two releases never meet, however they are called. */}}

{{- define "onsale.labels" -}}
{{ include "onsale.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: onsale
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* What stays the same for good: of all versions of one component. */}}
{{- define "onsale.selector" -}}
app.kubernetes.io/name: onsale
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "onsale.metadata" -}}
name: {{ .root.Release.Name }}-{{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "onsale.labels" . | nindent 2 }}
{{- end }}

{{- define "onsale.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{/* The enabled components, each with what it leaves to `defaults`, as YAML. */}}
{{- define "onsale.components" -}}
{{- $all := dict -}}
{{- range $name, $own := .Values.components -}}
{{- $c := mergeOverwrite (deepCopy $.Values.defaults) (deepCopy $own) -}}
{{- if $c.enabled -}}{{- $_ := set $all $name $c -}}{{- end -}}
{{- end -}}
{{- toYaml $all -}}
{{- end }}

{{/* The enabled components that need this, as a YAML list of names. */}}
{{- define "onsale.needing" -}}
{{- $names := list -}}
{{- range $name, $c := include "onsale.components" .root | fromYaml -}}
{{- if has $.what $c.needs -}}{{- $names = append $names $name -}}{{- end -}}
{{- end -}}
{{- toYaml $names -}}
{{- end }}

{{/* Whether the jobs may go before everything else: what they need is there already. */}}
{{- define "onsale.jobsFirst" -}}
{{- if not (or .Values.strimzi.enabled .Values.cnpg.enabled .Values.kafka.users.cluster) -}}true{{- end -}}
{{- end }}

{{- define "onsale.kafkaBrokers" -}}
{{- if .Values.strimzi.enabled -}}
{{ .Release.Name }}-kafka-kafka-bootstrap:9093
{{- else -}}
{{ .Values.kafka.brokers }}
{{- end -}}
{{- end }}

{{/* The Strimzi cluster whose users we make; empty: none. */}}
{{- define "onsale.kafkaCluster" -}}
{{- .Values.strimzi.enabled | ternary (printf "%s-kafka" .Release.Name) .Values.kafka.users.cluster -}}
{{- end }}

{{/* Whether each process is a user of Kafka's of its own. */}}
{{- define "onsale.kafkaUsers" -}}
{{- if or (include "onsale.kafkaCluster" .) .Values.kafka.users.enabled -}}true{{- end -}}
{{- end }}

{{/* The name of a process's user, and of the Secret with its password. */}}
{{- define "onsale.kafkaUser" -}}
{{- if and .root.Values.kafka.users.prefix (not (include "onsale.kafkaCluster" .root)) -}}
{{ .root.Values.kafka.users.prefix }}{{ .user }}
{{- else -}}
{{ .root.Release.Name }}-user-{{ .user }}
{{- end -}}
{{- end }}

{{/* The Secret with the certificate of Kafka's authority; empty: the system's authorities vouch for it, or nobody. */}}
{{- define "onsale.kafkaCa" -}}
{{- .Values.strimzi.enabled | ternary (printf "%s-kafka-cluster-ca-cert" .Release.Name) .Values.kafka.caSecret -}}
{{- end }}

{{/* The Secret with the certificate of Postgres' authority; empty: the system's authorities vouch for it. */}}
{{- define "onsale.postgresCa" -}}
{{- .Values.cnpg.enabled | ternary (printf "%s-postgres-ca" .Release.Name) .Values.postgres.caSecret -}}
{{- end }}

{{/* The Secret with a component's certificate for TLS inside, or the edge's. */}}
{{- define "onsale.tlsSecret" -}}
{{ .root.Values.tls.inside.prefix | default (printf "%s-tls-" .root.Release.Name) }}{{ .of }}
{{- end }}

{{/* Where the API of a component is. */}}
{{- define "onsale.api" -}}
{{ .root.Values.tls.inside.enabled | ternary "https" "http" }}://{{ .root.Release.Name }}-{{ .of }}:8080
{{- end }}

{{/* The role that owns a component's database, of a Postgres that the operator keeps. */}}
{{- define "onsale.databaseOwner" -}}
{{- .c.ownerSecret | empty | ternary .name (printf "%s-owner" .name) -}}
{{- end }}
