{{/* Labels of an object. Takes root and component (the stage, or the stage and what a Job of it does). */}}
{{- define "volwatch.labels" -}}
{{ include "volwatch.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* Labels of a pod, and what selects it. No version among them: it would restart every server with each upgrade. */}}
{{- define "volwatch.selectorLabels" -}}
app.kubernetes.io/name: volwatch
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: volwatch
{{- end }}

{{/* An image of the project. Takes root and target (service, dashboard, minio). */}}
{{- define "volwatch.image" -}}
{{- $image := .root.Values.image -}}
{{- $digest := get $image.digests .target -}}
{{- with $image.registry }}{{ . }}/{{ end }}volwatch-{{ .target }}
{{- if $digest }}@{{ $digest }}{{ else }}:{{ $image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{/*
VOLWATCH_* without secrets, as a map: where a server is and how it is spoken to, or how the minute path works. Takes
root and group (kafka, rawzone, warehouse, finnhub, pipeline). One home for pods of ours and for Airflow's workers.
*/}}
{{- define "volwatch.settings" -}}
{{- $values := .root.Values -}}
{{- if eq .group "kafka" }}
{{- $kafka := $values.kafka }}
VOLWATCH_KAFKA_PARTITIONS: {{ $kafka.partitions | quote }}
{{- if eq $kafka.mode "strimzi" }}
VOLWATCH_KAFKA_BOOTSTRAP: volwatch-kafka-bootstrap:{{ ternary 9093 9092 $kafka.tls }}
VOLWATCH_KAFKA_SECURITY_PROTOCOL: {{ ternary "SASL_SSL" "SASL_PLAINTEXT" $kafka.tls }}
{{- if $kafka.tls }}
VOLWATCH_KAFKA_CA_FILE: /etc/volwatch/kafka/ca.crt
{{- end }}
{{- else }}
VOLWATCH_KAFKA_BOOTSTRAP: {{ $kafka.external.bootstrapServers | quote }}
VOLWATCH_KAFKA_SECURITY_PROTOCOL: {{ $kafka.external.securityProtocol }}
VOLWATCH_KAFKA_SASL_MECHANISM: {{ $kafka.external.saslMechanism }}
VOLWATCH_KAFKA_REPLICATION: {{ min $kafka.replicas 3 | quote }}
{{- if $kafka.external.caSecret }}
VOLWATCH_KAFKA_CA_FILE: /etc/volwatch/kafka/ca.crt
{{- end }}
{{- end }}
{{- else if eq .group "rawzone" }}
{{- $internal := eq $values.rawzone.mode "minio" }}
VOLWATCH_RAWZONE_ENDPOINT: {{ ternary "volwatch-rawzone:9000" $values.rawzone.external.endpoint $internal | quote }}
VOLWATCH_RAWZONE_SECURE: {{ ternary false $values.rawzone.external.secure $internal | quote }}
VOLWATCH_RAWZONE_REGION: {{ ternary "us-east-1" $values.rawzone.external.region $internal | quote }}
VOLWATCH_RAWZONE_BUCKET: {{ $values.rawzone.bucket | quote }}
{{- else if eq .group "warehouse" }}
{{- $external := $values.warehouse.external }}
{{- $host := get (dict "internal" "volwatch-warehouse" "cnpg" "volwatch-warehouse-rw" "external" $external.host) $values.warehouse.mode }}
VOLWATCH_WAREHOUSE_HOST: {{ $host | quote }}
VOLWATCH_WAREHOUSE_PORT: {{ ternary $external.port 5432 (eq $values.warehouse.mode "external") | quote }}
VOLWATCH_WAREHOUSE_SSLMODE: {{ ternary $external.sslmode "prefer" (eq $values.warehouse.mode "external") | quote }}
{{- else if eq .group "finnhub" }}
{{- $finnhub := $values.producer.finnhub }}
VOLWATCH_FINNHUB_URL: {{ $finnhub.url | quote }}
VOLWATCH_FINNHUB_REST_URL: {{ $finnhub.restUrl | quote }}
VOLWATCH_FINNHUB_SYMBOLS: {{ join "," $finnhub.symbols | quote }}
{{- else }}
VOLWATCH_PIPELINE_ALERT_ENTER: {{ $values.pipeline.alertEnter | quote }}
VOLWATCH_PIPELINE_RISK_FREE_RATE: {{ $values.pipeline.riskFreeRate | quote }}
VOLWATCH_PIPELINE_PRICE_RETENTION_DAYS: {{ int $values.pipeline.priceRetentionDays | quote }}
VOLWATCH_PIPELINE_VOLATILITY_RETENTION_DAYS: {{ int $values.pipeline.volatilityRetentionDays | quote }}
{{- if $values.pipeline.rules }}
VOLWATCH_PIPELINE_RULES_FILE: /etc/volwatch/rules/rules.yaml
{{- end }}
{{- end }}
{{- end }}

{{/*
The environment of a program: the settings of its groups, and the secrets of its roles. Takes root and servers (a map of
group to role; `root` and `admin` are the administrators of raw zone and warehouse, finnhub and pipeline have no role).
*/}}
{{- define "volwatch.env" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- range $server, $role := .servers }}
{{- range $name, $value := include "volwatch.settings" (dict "root" $root "group" $server) | fromYaml }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- if eq $server "kafka" }}
{{- if eq $values.kafka.mode "strimzi" }}
- {name: VOLWATCH_KAFKA_USERNAME, value: volwatch-{{ $role }}}
- {name: VOLWATCH_KAFKA_PASSWORD, valueFrom: {secretKeyRef: {name: volwatch-{{ $role }}, key: password}}}
{{- else if $values.kafka.external.existingSecret }}
- {name: VOLWATCH_KAFKA_USERNAME, value: {{ $values.kafka.external.username | quote }}}
- {name: VOLWATCH_KAFKA_PASSWORD, valueFrom: {secretKeyRef: {name: {{ $values.kafka.external.existingSecret }}, key: password}}}
{{- end }}
{{- else if eq $server "rawzone" }}
{{- $secret := $values.rawzone.existingSecret | default "volwatch-rawzone" }}
- {name: VOLWATCH_RAWZONE_ACCESS_KEY, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $role }}-access-key}}}
- {name: VOLWATCH_RAWZONE_SECRET_KEY, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $role }}-secret-key}}}
{{- else if eq $server "warehouse" }}
{{- $admin := ternary $values.warehouse.external.adminUser "postgres" (eq $values.warehouse.mode "external") }}
- {name: VOLWATCH_WAREHOUSE_USER, value: {{ ternary $admin (printf "volwatch_%s" $role) (eq $role "admin") }}}
- {name: VOLWATCH_WAREHOUSE_PASSWORD, valueFrom: {secretKeyRef: {name: {{ $values.warehouse.existingSecret | default "volwatch-warehouse" }}, key: {{ $role }}-password}}}
{{- else if eq $server "finnhub" }}
- {name: VOLWATCH_FINNHUB_TOKEN, valueFrom: {secretKeyRef: {name: {{ $values.producer.finnhub.existingSecret }}, key: token}}}
{{- end }}
{{- end }}
{{- end }}

{{/*
A pod that runs `volwatch`: restricted, its root read-only, without a token unless it has an account of its own, after
waiting for what it needs. Takes
  root, image   as volwatch.image's root and target
  args          the command, as a list
  servers       as volwatch.env
  wait          servers that must be ready first, as a list
  before        another command that must have ended well first: args, servers, env
  env           further environment, as a list
  ports         named container ports, as a map; the probes ask the port `metrics`
  drain         seconds that it goes on serving after it was asked to stop
  files         folders that its container reads, as a list of name (a folder of /etc/volwatch) and source (a volume)
  account       its ServiceAccount, by whose token it may speak to the cluster's API
  spread        the stage whose pods should not share a node
  resources, grace, restart
*/}}
{{- define "volwatch.pod" -}}
{{- $root := .root -}}
{{- $kafka := $root.Values.kafka -}}
{{- $ca := ternary (ternary "volwatch-cluster-ca-cert" "" $kafka.tls) $kafka.external.caSecret (eq $kafka.mode "strimzi") -}}
{{- $files := .files | default list -}}
{{- if and (hasKey .servers "pipeline") $root.Values.pipeline.rules }}
{{- $files = append $files (dict "name" "rules" "source" (dict "configMap" (dict "name" "volwatch-pipeline-rules"))) }}
{{- end }}
{{- $env := include "volwatch.env" (dict "root" $root "servers" .servers) -}}
{{- $image := include "volwatch.image" (dict "root" $root "target" .image) -}}
{{- with .account }}
serviceAccountName: {{ . }}
{{- end }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .spread }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "volwatch.selectorLabels" (dict "root" $root "component" .) | nindent 8 }}
{{- end }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
restartPolicy: {{ .restart | default "Always" }}
terminationGracePeriodSeconds: {{ .grace | default 30 }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- $before := list }}
{{- with .wait }}
{{- $servers := dict }}
{{- range . }}
{{- $_ := set $servers . (get $.servers .) }}
{{- end }}
{{- $before = append $before (dict "args" (concat (list "wait") .) "servers" $servers) }}
{{- end }}
{{- with .before }}
{{- $before = append $before . }}
{{- end }}
{{- with $before }}
initContainers:
{{- range . }}
  - name: {{ index .args 0 }}
    image: {{ $image }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: {{ toJson .args }}
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
    env: {{- include "volwatch.env" (dict "root" $root "servers" .servers) | trim | nindent 6 }}
      {{- with .env }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 256Mi}}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      {{- if $ca }}
      - {name: kafka-ca, mountPath: /etc/volwatch/kafka, readOnly: true}
      {{- end }}
{{- end }}
{{- end }}
containers:
  - name: {{ index .args 0 }}
    image: {{ $image }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: {{ toJson .args }}
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
    env: {{- $env | trim | nindent 6 }}
      {{- with .env }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    resources: {{- toYaml .resources | nindent 6 }}
    {{- with .ports }}
    ports:
      {{- range $name, $port := . }}
      - {name: {{ $name }}, containerPort: {{ $port }}}
      {{- end }}
    {{- if $.drain }}
    # Whoever sends visitors here must first learn that it is on its way out.
    lifecycle: {preStop: {sleep: {seconds: {{ $.drain }}}}}
    {{- end }}
    startupProbe: {httpGet: {path: /healthz, port: metrics}, periodSeconds: 2, failureThreshold: 60}
    livenessProbe: {httpGet: {path: /healthz, port: metrics}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
    readinessProbe: {httpGet: {path: /readyz, port: metrics}, periodSeconds: 3, timeoutSeconds: 3}
    {{- end }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      {{- if $ca }}
      - {name: kafka-ca, mountPath: /etc/volwatch/kafka, readOnly: true}
      {{- end }}
      {{- range $files }}
      - {name: {{ .name }}, mountPath: /etc/volwatch/{{ .name }}, readOnly: true}
      {{- end }}
      {{- if .account }}
      - {name: account, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
      {{- end }}
volumes:
  - {name: tmp, emptyDir: {}}
  {{- if .account }}
  # Not mounted by Kubernetes itself, which would give it to every container of the pod.
  - name: account
    projected:
      sources:
        - serviceAccountToken: {path: token, expirationSeconds: 3600}
        - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
        - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
  {{- end }}
  {{- if $ca }}
  - {name: kafka-ca, secret: {secretName: {{ $ca }}}}
  {{- end }}
  {{- range $files }}
  - {{- merge (dict "name" .name) .source | toYaml | nindent 4 }}
  {{- end }}
{{- end }}

{{/*
A Job named for its content: an upgrade that changes nothing leaves it alone, any other one replaces it. Not a hook:
hooks run before the servers exist, or after `--wait` has waited for what they make. Takes root, component, pod.
*/}}
{{- define "volwatch.job" -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: volwatch-{{ .component }}-{{ .pod | sha256sum | trunc 8 }}
  labels: {{- include "volwatch.labels" . | nindent 4 }}
spec:
  backoffLimit: 20
  template:
    metadata:
      labels: {{- include "volwatch.selectorLabels" . | nindent 8 }}
    spec: {{- .pod | nindent 6 }}
{{- end }}

{{/*
What a stage may reach, as the rules of a NetworkPolicy: names, and the servers it speaks to. Takes root and servers
(a list; `api` is the cluster's own). Of a server that is no pod a policy does not know the address: it knows the port.
*/}}
{{- define "volwatch.egress" -}}
{{- $values := .root.Values -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- range .servers }}
{{- if and (eq . "kafka") (eq $values.kafka.mode "strimzi") }}
- to: [{podSelector: {matchLabels: {strimzi.io/cluster: volwatch}}}]
  ports: [{port: 9092}, {port: 9093}]
{{- else if eq . "kafka" }}
- ports:
    {{- range $values.kafka.external.brokerPorts | default (regexFindAll ":[0-9]+" $values.kafka.external.bootstrapServers -1) }}
    - {port: {{ trimPrefix ":" (toString .) }}}
    {{- end }}
{{- else if and (eq . "rawzone") (eq $values.rawzone.mode "minio") }}
- to: [{podSelector: {matchLabels: {app.kubernetes.io/component: rawzone}}}]
  ports: [{port: 9000}]
{{- else if eq . "rawzone" }}
- ports: [{port: {{ regexFind ":[0-9]+$" $values.rawzone.external.endpoint | trimPrefix ":" | default (ternary 443 80 $values.rawzone.external.secure) }}}]
{{- else if eq . "api" }}
- ports:
    {{- range $values.networkPolicy.apiPorts }}
    - {port: {{ int . }}}
    {{- end }}
{{- else if eq . "finnhub" }}
{{- $ports := list }}
{{- range $url := list $values.producer.finnhub.url $values.producer.finnhub.restUrl }}
{{- $address := urlParse $url }}
{{- $ports = append $ports (regexFind ":[0-9]+$" $address.host | trimPrefix ":" | default (ternary "443" "80" (has $address.scheme (list "wss" "https")))) }}
{{- end }}
- ports:
    {{- range uniq $ports }}
    - {port: {{ . }}}
    {{- end }}
{{- else if eq $values.warehouse.mode "internal" }}
- to: [{podSelector: {matchLabels: {app.kubernetes.io/component: warehouse}}}]
  ports: [{port: 5432}]
{{- else if eq $values.warehouse.mode "cnpg" }}
- to: [{podSelector: {matchLabels: {cnpg.io/cluster: volwatch-warehouse}}}]
  ports: [{port: 5432}]
{{- else }}
- ports: [{port: {{ $values.warehouse.external.port }}}]
{{- end }}
{{- end }}
{{- end }}
