{{/* Every name begins with the release's. */}}
{{- define "media.name" -}}
{{- printf "%s-%s" (.root.Release.Name | trunc 40 | trimSuffix "-") .part -}}
{{- end }}

{{- define "media.labels" -}}
{{ include "media.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: letmepost-media
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "media.selector" -}}
app.kubernetes.io/name: letmepost-media
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "media.image" -}}
{{ .root.Values.image.repository }}/{{ .part }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- with get .root.Values.image.digests .part }}@{{ . }}{{ end }}
{{- end }}

{{/* What every pod has: nobody's rights, and no word of the cluster. */}}
{{- define "media.pod" -}}
serviceAccountName: {{ include "media.name" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user | default 10001 }}
  runAsGroup: {{ .user | default 10001 }}
  fsGroup: {{ .user | default 10001 }}
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with .root.Values.pods.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .root.Values.pods.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
topologySpreadConstraints:
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: {matchLabels: {{ include "media.selector" $ | fromYaml | toJson }}}
{{- end }}
{{- end }}

{{- define "media.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* What a deployment of several pods has beside it. */}}
{{- define "media.around" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "media.name" . }}
  labels: {{ include "media.labels" . | fromYaml | toJson }}
automountServiceAccountToken: false
{{- if gt (int .row.replicas) 1 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "media.name" . }}
  labels: {{ include "media.labels" . | fromYaml | toJson }}
spec:
  maxUnavailable: 1
  # One that does not work does not keep its node from being drained.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector: {matchLabels: {{ include "media.selector" . | fromYaml | toJson }}}
{{- end }}
{{- if .row.autoscaling }}
{{- if lt (int .row.autoscaling.max) (int .row.replicas) }}
{{- fail (printf "%s: autoscaling.max (%v) is less than replicas (%v)" .part .row.autoscaling.max .row.replicas) }}
{{- end }}
{{- end }}
{{- if and .row.autoscaling (not (include "media.queued" .)) }}
{{- with .row.autoscaling }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "media.name" $ }}
  labels: {{ include "media.labels" $ | fromYaml | toJson }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ include "media.name" $ }}}
  minReplicas: {{ $.row.replicas }}
  maxReplicas: {{ .max }}
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ .cpuPercent }}}}
  # Work under way is finished, not cut: fewer pods only after ten quiet minutes.
  behavior: {scaleDown: {stabilizationWindowSeconds: 600}}
{{- end }}
{{- end }}
{{- end }}

{{/* Beside an Envoy, whose own image holds nothing that could: tells it when the pod is about to go. */}}
{{- define "media.leave" -}}
- name: leave
  image: {{ include "media.image" (dict "root" . "part" "gateway") }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [python, -c, "import signal as s; s.pthread_sigmask(s.SIG_BLOCK, {s.SIGTERM}); s.sigwait({s.SIGTERM})"]
  env:
    - {name: ENVOY_ADMIN_PORT, value: "9901"}
  lifecycle: {preStop: {exec: {command: [python, -c, {{ .Files.Get "files/leave.py" | toJson }}]}}}
  resources: {requests: {cpu: 5m, memory: 16Mi}, limits: {memory: 64Mi}}
  {{- include "media.container" . | nindent 2 }}
{{- end }}

{{/* Authorities of an operator's own: where each library looks for them, and what has to be there. */}}
{{- define "media.authorities.env" -}}
{{- if .Values.stores.authorities }}
{{- range list "AWS_CA_BUNDLE" "PGSSLROOTCERT" "SSL_CERT_FILE" }}
- {name: {{ . }}, value: /etc/authorities/ca.crt}
{{- end }}
{{- end }}
{{- end }}

{{- define "media.authorities.mount" -}}
{{- if .Values.stores.authorities }}
- {name: authorities, mountPath: /etc/authorities, readOnly: true}
{{- end }}
{{- end }}

{{- define "media.authorities.volume" -}}
{{- with .Values.stores.authorities }}
- name: authorities
  configMap: {name: {{ . }}}
{{- end }}
{{- end }}

{{/* Not empty: scaled by what waits for it. Two autoscalers of one deployment would pull it to and fro. */}}
{{- define "media.queued" -}}
{{- if and .root.Values.keda.enabled (eq .part "transcoder") }}true{{ end -}}
{{- end }}

{{/* A new pod only beside the old ones; fewer at no time. */}}
{{- define "media.rollout" -}}
{{- if not .row.autoscaling }}
replicas: {{ .row.replicas }}
{{- end }}
strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
selector: {matchLabels: {{ include "media.selector" . | fromYaml | toJson }}}
{{- end }}

{{/* The keys of a stage's Secret, which are files under /run/secrets/letmepost. */}}
{{- define "media.secretKeys" -}}
{{- $keys := .secrets | default list -}}
{{- if has "postgres" (.needs | default list) }}{{ $keys = append $keys "database_url" }}{{ end -}}
{{- if has "nats" (.needs | default list) }}{{ $keys = append $keys "nats_url" }}{{ end -}}
{{- if has "s3" (.needs | default list) }}{{ $keys = concat $keys (list "s3_access_key" "s3_secret_key") }}{{ end -}}
{{- toJson $keys -}}
{{- end }}

{{- define "media.withTables" -}}
{{- $found := list -}}
{{- range $name, $row := .Values.stages }}{{ if has "postgres" ($row.needs | default list) }}{{ $found = append $found $name }}{{ end }}{{ end -}}
{{- toJson $found -}}
{{- end }}

{{/* Where the stores are: the operator's, or our own of one pod each. */}}
{{- define "media.stores" -}}
{{- $stores := deepCopy .Values.stores -}}
{{- if .Values.bundled.enabled }}
{{- range $name, $port := dict "postgres" 5432 "nats" 4222 "s3" 8333 }}
{{- $own := dict "podSelector" (dict "matchLabels" (include "media.selector" (dict "root" $ "part" $name) | fromYaml)) -}}
{{- $_ := set $stores $name (merge (dict "port" $port "peers" (list $own)) (index $stores $name)) -}}
{{- end -}}
{{- $_ := set $stores.s3 "host" (printf "%s.%s.svc" (include "media.name" (dict "root" $ "part" "s3")) .Release.Namespace) -}}
{{- $_ := set $stores.s3 "tls" false -}}
{{- $_ := set $stores.nats "replicas" 1 -}}
{{- end -}}
{{- toJson $stores -}}
{{- end }}

{{/* The migration job's files. */}}
{{- define "media.migrateKeys" -}}
{{- $keys := list "database_url" -}}
{{- range include "media.withTables" . | fromJsonArray }}{{ $keys = append $keys (printf "%s_password" .) }}{{ end -}}
{{- if .Values.keda.enabled }}{{ $keys = append $keys "scaler_password" }}{{ end -}}
{{- toJson $keys -}}
{{- end }}

{{/* Bytes in a quantity. */}}
{{- define "media.bytes" -}}
{{- $units := dict "" 1 "k" 1000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- printf "%d" (mulf (regexFind "^[0-9.]+" . | float64) (index $units (regexFind "[A-Za-z]*$" .)) | int64) -}}
{{- end }}

{{/* Plain settings of a stage, as one flat map. */}}
{{- define "media.settings" -}}
{{- $root := .root -}}{{- $row := .row -}}
{{- $stores := include "media.stores" $root | fromJson -}}
{{- $s3 := $stores.s3 -}}
{{- $settings := merge (dict) ($row.env | default dict) $root.Values.common -}}
{{- $_ := set $settings "listen" (printf "0.0.0.0:%v" $row.port) -}}
{{- $_ := set $settings "metrics_listen" (printf "0.0.0.0:%v" $row.metricsPort) -}}
{{- $_ := set $settings "drain_s" $root.Values.drain_s -}}
{{- with $row.httpPort }}{{ $_ := set $settings "http_listen" (printf "0.0.0.0:%v" .) }}{{ end -}}
{{- range $called := $row.calls }}
{{- /* Every pod's address, so that calls go to each in turn. */ -}}
{{- $host := include "media.name" (dict "root" $root "part" $called) -}}
{{- $_ := set $settings (printf "%s_target" $called) (printf "dns:///%s.%s.svc:%v" $host $root.Release.Namespace (index $root.Values.stages $called).port) -}}
{{- end -}}
{{- if has "nats" ($row.needs | default list) }}{{ $_ := set $settings "nats_replicas" $stores.nats.replicas }}{{ end -}}
{{- if has "s3" ($row.needs | default list) }}
{{- $_ := set $settings "s3_endpoint" (printf "%s://%s:%v" (ternary "https" "http" $s3.tls) $s3.host $s3.port) -}}
{{- $_ := set $settings "s3_region" $s3.region -}}
{{- end -}}
{{- range $bucket := $row.buckets }}{{ $_ := set $settings (printf "%s_bucket" $bucket) (index $s3 (printf "%sBucket" $bucket)) }}{{ end -}}
{{- if ($row.settings).public_url }}{{ $_ := set $settings "public_url" $root.Values.publicUrl }}{{ end -}}
{{- if ($row.settings).cdn_url }}{{ $_ := set $settings "cdn_url" (printf "%s/cdn" $root.Values.publicUrl) }}{{ end -}}
{{- if and ($row.settings).plans $root.Values.plans }}{{ $_ := set $settings "plans_file" "/etc/letmepost/plans.toml" }}{{ end -}}
{{- if $row.clamd }}{{ $_ := set $settings "clamd_address" (printf "%s.%s.svc:%v" (include "media.name" (dict "root" $root "part" "clamd")) $root.Release.Namespace $root.Values.clamd.port) }}{{ end -}}
{{- if $row.sandbox }}{{ $_ := set $settings "sandbox_url" (include "media.sandboxUrl" $root) }}{{ end -}}
{{- if $row.scratch }}{{ $_ := set $settings "scratch_dir" "/scratch" }}{{ $_ := set $settings "workers" $row.workers }}{{ end -}}
{{- /* Films get half of the memory, unless somebody said otherwise; images, and the stage itself, the rest. */ -}}
{{- if and $row.scratch (not (hasKey $settings "films_bytes")) }}{{ $_ := set $settings "films_bytes" (printf "%d" (div (include "media.bytes" $row.resources.limits.memory | int64) 2)) }}{{ end -}}
{{- toJson $settings -}}
{{- end }}

{{- define "media.sandboxUrl" -}}
http://{{ include "media.name" (dict "root" . "part" "sandbox") }}.{{ .Release.Namespace }}.svc:{{ .Values.sandbox.port }}
{{- end }}

{{/* A settings map as environment variables. */}}
{{- define "media.env" -}}
{{- range $name, $value := .settings }}
{{- /* Numbers that came by JSON would be told as 9e+08. */ -}}
{{- if and (kindIs "float64" $value) (eq $value (floor $value)) }}{{ $value = int64 $value }}{{ end }}
- {name: {{ printf "MEDIA_%s_%s" (upper $.part) (upper $name) }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- range $name := .keys }}
- {name: {{ printf "MEDIA_%s_%s_FILE" (upper $.part) (upper $name) }}, value: /run/secrets/letmepost/{{ $name }}}
{{- end }}
{{- end }}
