{{- define "profiler.image" -}}
{{- with .root.Values.image.registry }}{{ . }}/{{ end }}profiler-{{ .part }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{- define "profiler.selector" -}}
app.kubernetes.io/name: profiler
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}
