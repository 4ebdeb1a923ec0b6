{{- define "mcp-junction.name" -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "mcp-junction.secret" -}}
{{ .Values.secret.existing | default (include "mcp-junction.name" .) }}
{{- end }}

{{- define "mcp-junction.selector" -}}
app.kubernetes.io/name: mcp-junction
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mcp-junction.labels" -}}
{{ include "mcp-junction.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
