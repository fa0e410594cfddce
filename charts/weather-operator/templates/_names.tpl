{{- define "image" -}}
{{- $repository := ternary .name (printf "%s/%s" (trimSuffix "/" .registry) .name) (empty .registry) -}}
{{- if .digest -}}
{{ $repository }}@{{ .digest }}
{{- else -}}
{{ $repository }}:{{ .tag }}
{{- end -}}
{{- end -}}

{{- define "selector" -}}
app.kubernetes.io/name: weather-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- /* Objects without a namespace: an operator for some namespaces may be there several times. */}}
{{- define "global-name" -}}
{{ ternary "weather-operator" (printf "weather-operator-%s" .Release.Namespace) (empty .Values.watchNamespaces) }}
{{- end -}}

{{- define "operator-image" -}}
{{ include "image" (dict "registry" .Values.registry "name" .Values.image.name "tag" (default .Chart.AppVersion .Values.image.tag) "digest" .Values.image.digest) }}
{{- end -}}

{{- define "pod-security" -}}
runAsNonRoot: true
runAsUser: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "container-security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "dns-ports" -}}
- {port: 53, protocol: UDP}
- {port: 53, protocol: TCP}
{{- end -}}
