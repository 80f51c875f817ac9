{{/* What containers of ours have in common. */}}

{{- define "onsale.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "onsale.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "onsale.pull" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Environment variables from {name: value}, in order. */}}
{{- define "onsale.plainEnv" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ kindIs "float64" $value | ternary (int64 $value) $value | toString | quote }}
{{- end }}
{{- end }}

{{/* One that comes from a Secret. */}}
{{- define "onsale.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}

{{/* How Kafka is reached, and as whom. */}}
{{- define "onsale.kafkaEnv" -}}
{{- $kafka := .root.Values.kafka -}}
{{- $env := dict "KAFKA_BROKERS" (include "onsale.kafkaBrokers" .root) -}}
{{- range $name, $value := $kafka.properties -}}
{{- $_ := set $env (printf "RDKAFKA_%s" ($name | replace "." "_" | upper)) $value -}}
{{- end -}}
{{- if include "onsale.kafkaUsers" .root -}}
{{- $env = merge $env (dict "KAFKA_USER" (include "onsale.kafkaUser" .) "KAFKA_PASSWORD_FILE" "/etc/onsale/kafka-user/password") -}}
{{- end -}}
{{- if or $kafka.tls (include "onsale.kafkaCa" .root) -}}{{- $_ := set $env "KAFKA_TLS" true -}}{{- end -}}
{{- if include "onsale.kafkaCa" .root -}}{{- $_ := set $env "KAFKA_CA" "/etc/onsale/kafka/ca.crt" -}}{{- end -}}
{{- include "onsale.plainEnv" $env }}
{{- range $kafka.secretProperties }}
{{ include "onsale.secretEnv" (dict "name" (printf "RDKAFKA_%s" (. | replace "." "_" | upper)) "secret" $kafka.existingSecret "key" .) }}
{{- end }}
{{- end }}

{{- define "onsale.registryEnv" -}}
{{- if .Values.registry.existingSecret -}}
{{ include "onsale.secretEnv" (dict "name" "SCHEMA_REGISTRY_URL" "secret" .Values.registry.existingSecret "key" "SCHEMA_REGISTRY_URL") }}
{{- else -}}
- name: SCHEMA_REGISTRY_URL
  value: {{ .Values.registry.url | quote }}
{{- end -}}
{{- with .Values.registry.userSecret }}
{{ include "onsale.secretEnv" (dict "name" "SCHEMA_REGISTRY_USER" "secret" . "key" "username") }}
{{ include "onsale.secretEnv" (dict "name" "SCHEMA_REGISTRY_PASSWORD" "secret" . "key" "password") }}
{{- end -}}
{{- end }}

{{/* What comes from the component's Secret. */}}
{{- define "onsale.secretSettings" -}}
{{- range .c.secretSettings }}
{{- if eq . "DATABASE_URL" }}
{{ include "onsale.databaseEnv" (dict "root" $.root "name" $.name "setting" . "secret" $.c.existingSecret) }}
{{- with $.c.replicationSecret }}
{{ include "onsale.databaseEnv" (dict "root" $.root "name" $.name "setting" "REPLICATION_DATABASE_URL" "secret" .) }}
{{- end }}
{{- include "onsale.postgresTls" $.root }}
{{- else }}
{{ include "onsale.secretEnv" (dict "name" . "secret" $.c.existingSecret "key" .) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The URL of a component's database as some role. Of a database that the operator keeps: its parts. */}}
{{- define "onsale.databaseEnv" -}}
{{- if .root.Values.cnpg.enabled -}}
{{- $prefix := trimSuffix "_URL" .setting -}}
{{ include "onsale.secretEnv" (dict "name" (printf "%s_USERNAME" $prefix) "secret" .secret "key" "username") }}
{{ include "onsale.secretEnv" (dict "name" (printf "%s_PASSWORD" $prefix) "secret" .secret "key" "password") }}
- name: {{ .setting }}
  value: postgresql://$({{ $prefix }}_USERNAME):$({{ $prefix }}_PASSWORD)@{{ .root.Release.Name }}-postgres-rw:5432/{{ .name }}
{{- else -}}
{{ include "onsale.secretEnv" (dict "name" .setting "secret" .secret "key" .setting) }}
{{- end -}}
{{- end }}

{{/* How libpq knows Postgres, unless the URL says otherwise. */}}
{{- define "onsale.postgresTls" -}}
{{- $verified := hasPrefix "verify-" .Values.postgres.sslmode }}
- name: PGSSLMODE
  value: {{ .Values.postgres.sslmode }}
{{- if include "onsale.postgresCa" . }}
- name: PGSSLROOTCERT
  value: /etc/onsale/postgres/ca.crt
{{- else if $verified }}
- name: PGSSLROOTCERT
  value: system
{{- end }}
{{- end }}

{{/* The environment of a component. */}}
{{- define "onsale.env" -}}
{{- $root := .root -}}{{- $c := .c -}}{{- $release := $root.Release.Name -}}
{{- $env := dict "HTTP_ADDRESS" $root.Values.listenAddress "ADMIN_PORT" 9090 -}}
{{- if eq $c.kind "service" -}}
{{- $env = merge $env (dict "HTTP_PORT" 8080 "TRUSTED_PROXIES" $root.Values.trustedProxies) -}}
{{- if and $root.Values.corsOrigins (has "database" $c.needs) -}}
{{- $_ := set $env "CORS_ORIGINS" (join "," $root.Values.corsOrigins) -}}
{{- end -}}
{{- end -}}
{{- if include "onsale.speaksTls" . -}}
{{- range $setting, $file := dict "HTTP_TLS_CERT" "tls.crt" "HTTP_TLS_KEY" "tls.key" "HTTP_TLS_CLIENT_CA" "ca.crt" -}}
{{- $_ := set $env $setting (printf "/etc/onsale/tls/%s" $file) -}}
{{- end -}}
{{- if has "cookies" $c.needs -}}
{{- range $setting, $file := dict "INTERNAL_TLS_CERT" "tls.crt" "INTERNAL_TLS_KEY" "tls.key" "INTERNAL_TLS_CA" "ca.crt" -}}
{{- $_ := set $env $setting (printf "/etc/onsale/tls/%s" $file) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if has "cookies" $c.needs -}}{{- $_ := set $env "SECURE_COOKIES" $root.Values.sessions.secureCookies -}}{{- end -}}
{{- if has "jwks" $c.needs -}}
{{- $_ := set $env "JWKS_URL" (printf "%s/.well-known/jwks.json" (include "onsale.api" (dict "root" $root "of" "auth"))) -}}
{{- end -}}
{{- range $need, $keys := include "onsale.keyFiles" $root | fromYaml -}}
{{- if has $need $c.needs -}}
{{- $files := list -}}
{{- range $keys.keys -}}{{- $files = append $files (printf "/etc/onsale/%s/%s" $keys.folder .) -}}{{- end -}}
{{- $_ := set $env $keys.setting (join "," $files) -}}
{{- end -}}
{{- end -}}
{{- if has "apis" $c.needs -}}
{{- range $setting, $service := dict "USERS_API" "auth" "TICKETS_API" "tickets" "ORDERS_API" "orders" "PAYMENTS_API" "payments" "WAITING_API" "waiting" -}}
{{- $_ := set $env $setting (include "onsale.api" (dict "root" $root "of" $service)) -}}
{{- end -}}
{{- end -}}
{{- $letters := $root.Values.letters -}}
{{- $site := $letters.site | default (printf "%s://%s" (ternary "https" "http" $root.Values.sessions.secureCookies) $root.Values.edge.host) -}}
{{- if has "smtp" $c.needs -}}
{{- $env = merge $env (dict "SMTP_URL" $letters.smtp "MAIL_FROM" $letters.from "PUBLIC_URL" $site) -}}
{{- end -}}
{{- if and (has "passkeys" $c.needs) (hasPrefix "https://" $site) -}}{{- $_ := set $env "PASSKEY_ORIGIN" $site -}}{{- end -}}
{{- if has "ordersApi" $c.needs -}}{{- $_ := set $env "ORDERS_API" (include "onsale.api" (dict "root" $root "of" "orders")) -}}{{- end -}}
{{- if has "paymentsPace" $c.needs -}}{{- $_ := set $env "STRIPE_RATE" (dig "payments" "settings" "STRIPE_RATE" 0 $root.Values.components) -}}{{- end -}}
{{- include "onsale.plainEnv" (mergeOverwrite $env (deepCopy $root.Values.settings) (deepCopy $c.settings)) }}
{{- if has "instance" $c.needs }}
- name: INSTANCE_ID
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
{{- if has "kafka" $c.needs }}
{{- include "onsale.kafkaEnv" (dict "root" $root "user" .name) }}
{{ include "onsale.registryEnv" $root }}
{{- end }}
{{- include "onsale.secretSettings" . }}
{{- end }}

{{- define "onsale.speaksTls" -}}
{{- if and .root.Values.tls.inside.enabled (eq .c.kind "service") -}}true{{- end -}}
{{- end }}

{{/* Private keys in files, by what needs them. */}}
{{- define "onsale.keyFiles" -}}
{{- $sessions := pick .Values.sessions "existingSecret" "keys" | merge (dict "folder" "sessions" "setting" "SESSION_KEYS") -}}
{{- $codes := pick .Values.codes "existingSecret" "keys" | merge (dict "folder" "codes" "setting" "TICKET_KEYS") -}}
{{- $queues := pick .Values.queues "existingSecret" "keys" | merge (dict "folder" "queues" "setting" "WAITING_KEYS") -}}
{{- $seeds := dict "existingSecret" .Values.queues.existingSecret "keys" .Values.queues.seedKeys "folder" "seeds" "setting" "WAITING_SEED_KEYS" -}}
{{- $links := pick .Values.letters "existingSecret" "keys" | merge (dict "folder" "links" "setting" "LINK_KEYS") -}}
{{- dict "sessionKeys" $sessions "codeKeys" $codes "queueKeys" $queues "seedKeys" $seeds "linkKeys" $links | toYaml -}}
{{- end }}

{{/* Files from Secrets: keys, Kafka's authority, the password of Kafka's user. */}}
{{- define "onsale.volumeMounts" -}}
{{- $c := .c }}
{{- range $need, $keys := include "onsale.keyFiles" .root | fromYaml }}
{{- if has $need $c.needs }}
- name: {{ $keys.folder }}
  mountPath: /etc/onsale/{{ $keys.folder }}
  readOnly: true
{{- end }}
{{- end }}
{{- if and (has "kafka" .c.needs) (include "onsale.kafkaCa" .root) }}
- name: kafka-ca
  mountPath: /etc/onsale/kafka
  readOnly: true
{{- end }}
{{- if and (has "database" .c.needs) (include "onsale.postgresCa" .root) }}
- name: postgres-ca
  mountPath: /etc/onsale/postgres
  readOnly: true
{{- end }}
{{- if and (has "kafka" .c.needs) (include "onsale.kafkaUsers" .root) }}
- name: kafka-user
  mountPath: /etc/onsale/kafka-user
  readOnly: true
{{- end }}
{{- if include "onsale.speaksTls" . }}
- name: tls
  mountPath: /etc/onsale/tls
  readOnly: true
{{- end }}
{{- end }}

{{- define "onsale.volumes" -}}
{{- $c := .c }}
{{- range $need, $keys := include "onsale.keyFiles" .root | fromYaml }}
{{- if has $need $c.needs }}
- name: {{ $keys.folder }}
  secret:
    secretName: {{ $keys.existingSecret }}
    defaultMode: 0440
    items:
      {{- range $keys.keys }}
      - key: {{ . }}
        path: {{ . }}
      {{- end }}
{{- end }}
{{- end }}
{{- if and (has "kafka" .c.needs) (include "onsale.kafkaCa" .root) }}
- name: kafka-ca
  secret:
    secretName: {{ include "onsale.kafkaCa" .root }}
    items:
      - key: ca.crt
        path: ca.crt
{{- end }}
{{- if and (has "database" .c.needs) (include "onsale.postgresCa" .root) }}
- name: postgres-ca
  secret:
    secretName: {{ include "onsale.postgresCa" .root }}
    items:
      - key: ca.crt
        path: ca.crt
{{- end }}
{{- if and (has "kafka" .c.needs) (include "onsale.kafkaUsers" .root) }}
- name: kafka-user
  secret:
    secretName: {{ include "onsale.kafkaUser" (dict "root" .root "user" .name) }}
    defaultMode: 0440
    items:
      - key: password
        path: password
{{- end }}
{{- if include "onsale.speaksTls" . }}
- name: tls
  secret:
    secretName: {{ include "onsale.tlsSecret" (dict "root" .root "of" .name) }}
    defaultMode: 0440
    items:
      {{- range list "tls.crt" "tls.key" "ca.crt" }}
      - key: {{ . }}
        path: {{ . }}
      {{- end }}
{{- end }}
{{- end }}

{{/* The pod template of a component. hash: the label by which the workload tells its versions apart. */}}
{{- define "onsale.podTemplate" -}}
{{- $root := .root -}}{{- $c := .c -}}
metadata:
  labels:
    {{- include "onsale.labels" . | nindent 4 }}
  {{- with $c.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ $root.Release.Name }}-{{ .name }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- include "onsale.pull" $root | nindent 2 }}
  {{- with $c.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  # preStop, then what the process allows itself (10 s), then a margin.
  terminationGracePeriodSeconds: {{ add $root.Values.drain.preStopSeconds 10 $root.Values.drain.marginSeconds }}
  securityContext:
    {{- include "onsale.podSecurity" . | nindent 4 }}
  containers:
    - name: {{ .name }}
      image: {{ include "onsale.image" $root }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      command: [/usr/bin/{{ .name }}]
      env:
        {{- include "onsale.env" . | trim | nindent 8 }}
      ports:
        {{- if eq $c.kind "service" }}
        - name: http
          containerPort: 8080
        {{- end }}
        - name: admin
          containerPort: 9090
      {{- with include "onsale.volumeMounts" . | trim }}
      volumeMounts:
        {{- . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- include "onsale.containerSecurity" . | nindent 8 }}
      resources:
        {{- toYaml $c.resources | nindent 8 }}
      # Alive before it is ready: it waits for its database and Kafka by itself.
      startupProbe:
        httpGet: { path: /healthz, port: admin }
        periodSeconds: 1
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /healthz, port: admin }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: { path: /readyz, port: admin }
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 2
      lifecycle:
        preStop:
          sleep:
            seconds: {{ $root.Values.drain.preStopSeconds }}
  {{- with include "onsale.volumes" . | trim }}
  volumes:
    {{- . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "onsale.selector" $ | nindent 10 }}
      matchLabelKeys: [{{ $.hash }}]
    {{- end }}
  {{- with $c.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $c.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $c.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
